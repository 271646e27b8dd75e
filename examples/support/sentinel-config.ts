import { type RedisServerOptions } from './redis-server.ts'

/** One server or Sentinel, before it is started. */
export interface Place {
  readonly port: number
  /** Where the others find it. */
  readonly exposedPort: number
  /** The loopback address that it connects to others from. */
  readonly source: string | undefined
  /** Forty hexadecimal digits: what Sentinels know each other by. */
  readonly id: string
}

interface Shared {
  /** What the Sentinels call the master. */
  readonly name: string
  /** The first of them is the master. */
  readonly servers: readonly Place[]
  readonly sentinels: readonly Place[]
  readonly downAfter: number
  readonly auth: RedisServerOptions['auth']
}

export function serverConfig(place: Place, { servers, auth }: Shared, priority: number): string[] {
  const [master] = servers
  const { username, password } = auth ?? {}
  return [
    ...sourceOf(place),
    `replica-priority ${priority}`,
    'replica-announce-ip 127.0.0.1',
    `replica-announce-port ${place.exposedPort}`,
    ...(password !== undefined ? [`masterauth ${password}`] : []),
    ...(password !== undefined && username === undefined ? [`requirepass ${password}`] : []),
    ...(username !== undefined ? [`masteruser ${username}`] : []),
    ...(place === master ? [] : [`replicaof 127.0.0.1 ${master!.exposedPort}`]),
  ]
}

/**
 * Milliseconds that those which the quorum does not need are slower to think that a server is down: who has noticed
 * stands for election and votes for itself, and where all do, nobody is elected for seconds.
 */
const LATER = 500

/** It knows the replicas and the other Sentinels from the start: to find them takes several seconds. */
export function sentinelConfig(place: Place, shared: Shared): string[] {
  const { name, servers, sentinels, downAfter, auth } = shared
  const [master, ...replicas] = servers
  const quorum = Math.floor(sentinels.length / 2) + 1
  const { username, password } = auth ?? {}
  return [
    ...sourceOf(place),
    `sentinel myid ${place.id}`,
    'sentinel announce-ip 127.0.0.1',
    `sentinel announce-port ${place.exposedPort}`,
    `sentinel monitor ${name} 127.0.0.1 ${master!.exposedPort} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${downAfter + (sentinels.indexOf(place) < quorum ? 0 : LATER)}`,
    // After a split vote they try again when twice this is over.
    `sentinel failover-timeout ${name} 3000`,
    `sentinel parallel-syncs ${name} ${servers.length}`,
    ...(password !== undefined ? [`sentinel auth-pass ${name} ${password}`] : []),
    ...(username !== undefined ? [`sentinel auth-user ${name} ${username}`] : []),
    ...replicas.map(({ exposedPort }) => `sentinel known-replica ${name} 127.0.0.1 ${exposedPort}`),
    ...sentinels
      .filter((other) => other !== place)
      .map(({ exposedPort, id }) => `sentinel known-sentinel ${name} 127.0.0.1 ${exposedPort} ${id}`),
  ]
}

function sourceOf({ source }: Place): string[] {
  return source === undefined ? [] : [`bind-source-addr ${source}`]
}
