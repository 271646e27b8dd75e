import { type AdminState, type Health, type ProbeResult } from './core/backend.ts'
import { type DrainProgressEvent, type TunnelTraffic } from './core/events.ts'
import { type Engine } from './engine.ts'
import { type ListenerAddress } from './listener/listener.ts'
import { type Tunnel } from './proxy/tunnel.ts'

export interface SnapshotOptions {
  /** `false` leaves the list of open WebSockets empty: where there are many, it takes a while. @default true */
  tunnels?: boolean
}

/** The state of a balancer as plain JSON. */
export interface Snapshot {
  readonly pools: readonly PoolSnapshot[]
  readonly backends: readonly BackendSnapshot[]
  readonly listeners: readonly ListenerAddress[]
  /** Client sockets open on our own listeners. */
  readonly connections: number
  /** Open WebSockets, the oldest first; those of backends that have left the config and still drain included. */
  readonly tunnels: readonly TunnelSnapshot[]
  /** Drains under way. */
  readonly drains: readonly DrainProgressEvent[]
}

export interface TunnelSnapshot extends Omit<TunnelTraffic, 'clientRtt' | 'backendRtt'> {
  /** For `closeTunnel()`. */
  readonly id: number
  readonly pool: string
  /** Id of the backend. */
  readonly backend: string
  readonly route: string
  readonly clientAddress: string
  /** In milliseconds since 1970. */
  readonly openedAt: number
  /** Milliseconds: from the request head to the `101`, since the `101`, since something of a message went through. */
  readonly handshake: number
  readonly duration: number
  readonly idle: number
  /** A rebalance leaves it alone. */
  readonly pinned: boolean
  /** Milliseconds from the last Ping of ours to its Pong; `null` when none was answered. */
  readonly clientRtt: number | null
  readonly backendRtt: number | null
}

export interface PoolSnapshot {
  readonly name: string
  /** Name of the balancing policy. */
  readonly balance: string
  /** Names of the sticky strategies, in order. */
  readonly sticky: readonly string[]
  /** Ids of its backends. */
  readonly backends: readonly string[]
  /** So few backends can be used that health counts for nothing. */
  readonly panic: boolean
  /** Where it gets them, if that is not a list in the config. */
  readonly source: SourceSnapshot | null
}

export interface SourceSnapshot {
  readonly name: string
  /** When its last good list came, in milliseconds since 1970; `null` before the first one. */
  readonly updatedAt: number | null
  /** What has failed since then. */
  readonly problem: string | null
}

export interface BackendSnapshot {
  readonly id: string
  readonly pool: string
  readonly url: string
  readonly health: Health
  /** What was seen last of a failure; `null` while it is up. */
  readonly trouble: string | null
  /** Of the last change of health, in milliseconds since 1970. */
  readonly since: number
  /** How the last probe went; `null` before the first one, and without health loop. */
  readonly lastProbe: ProbeResult | null
  /** Until when it is given nothing new because its traffic failed, in milliseconds since 1970; `null`: it is not ejected. */
  readonly ejectedUntil: number | null
  readonly adminState: AdminState
  readonly weight: number
  /** How much of the weight counts now: less than 1 while it starts slowly. */
  readonly ramp: number
  readonly backup: boolean
  /** `null`: unlimited. */
  readonly maxConnections: number | null
  /** `null`: unlimited. */
  readonly maxHandshakesPerSecond: number | null
  /** Open tunnels, handshakes under way and requests under way. */
  readonly load: number
  /** Open tunnels. */
  readonly tunnels: number
  /** Clients that wait: for a token under `maxHandshakesPerSecond`, part of the load; or held by `onLost`, not part of it. */
  readonly waiting: number
  /** Milliseconds its handshakes take of late, from dialling to the `101`; `null` when there were none for a minute. */
  readonly latency: number | null
  /** Since the backend was added: requests that ended on it, upgrades it accepted, failures it is to blame for. */
  readonly requests: number
  readonly upgrades: number
  readonly failures: number
}

export function tunnelSnapshot(tunnel: Tunnel): TunnelSnapshot {
  const { backend, request, traffic } = tunnel
  // One literal: there may be a hundred thousand of them, and spreads cost forty times as much.
  return {
    id: tunnel.id,
    backend: backend.id,
    pool: backend.pool,
    route: tunnel.route,
    openedAt: tunnel.openedAt,
    handshake: tunnel.handshake,
    clientAddress: request.clientAddress,
    duration: tunnel.age,
    idle: tunnel.idle,
    pinned: request.pinned,
    bytesIn: traffic.bytesIn,
    bytesOut: traffic.bytesOut,
    messagesIn: traffic.messagesIn,
    messagesOut: traffic.messagesOut,
    framesIn: traffic.framesIn,
    framesOut: traffic.framesOut,
    clientRtt: traffic.clientRtt ?? null,
    backendRtt: traffic.backendRtt ?? null,
  }
}

export function snapshotOf(
  { pools, listeners, tunnels, drains }: Engine,
  shutdown: DrainProgressEvent | undefined,
  { tunnels: withTunnels = true }: SnapshotOptions,
): Snapshot {
  return {
    pools: [...pools.byName.values()].map(({ name, spec: { policy, sticky }, backends, isPanic }) => ({
      name,
      balance: policy.name,
      sticky: sticky.map((strategy) => strategy.name),
      backends: [...backends.keys()],
      panic: isPanic,
      source: sourceSnapshot(pools.feeds.of(name)),
    })),
    backends: pools.members().map(({ backend }) => {
      const { id, pool, url, health, adminState, load, tunnels, waiting, counters, settings } = backend
      const { weight, backup, maxConnections, maxHandshakesPerSecond } = settings
      return {
        id,
        pool,
        url: url.origin,
        health,
        trouble: health === 'up' ? null : backend.trouble,
        since: backend.healthSince,
        lastProbe: backend.lastProbe ?? null,
        ejectedUntil: backend.ejectedUntil ?? null,
        adminState,
        weight,
        ramp: backend.ramp,
        backup,
        maxConnections: limitOf(maxConnections),
        maxHandshakesPerSecond: limitOf(maxHandshakesPerSecond),
        load,
        tunnels,
        waiting,
        latency: backend.latency ?? null,
        ...counters,
      }
    }),
    listeners: listeners.addresses,
    connections: listeners.connections,
    tunnels: withTunnels ? tunnels.all().map(tunnelSnapshot) : [],
    drains: [...drains.progress, ...(shutdown ? [shutdown] : [])],
  }
}

function sourceSnapshot(feed: SourceSnapshot | undefined): SourceSnapshot | null {
  return feed ? { name: feed.name, updatedAt: feed.updatedAt, problem: feed.problem } : null
}

/** JSON has no Infinity. */
function limitOf(setting: number): number | null {
  return Number.isFinite(setting) ? setting : null
}
