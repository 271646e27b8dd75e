import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from './free-ports.ts'
import { RedisServer, type RedisServerOptions } from './redis-server.ts'
import { type Place, sentinelConfig, serverConfig } from './sentinel-config.ts'

export interface SentinelClusterOptions {
  /** What the Sentinels call the master. @default 'mymaster' */
  readonly name?: string
  /** @default 2 */
  readonly replicas?: number
  /** @default 3 */
  readonly sentinels?: number
  /**
   * Milliseconds without an answer after which a Sentinel thinks that a server is down. Through proxies that share this
   * process a busy machine takes longer. @default 300, with a `network` 1000
   */
  readonly downAfter?: number
  /** `replica-priority` of each server, the first master's first. @default 100 for all */
  readonly priorities?: readonly number[]
  /** More lines for the `redis.conf` of every server, such as `min-replicas-to-write 1`. */
  readonly config?: readonly string[]
  /** What the servers ask for. A user that is not the default one must be made, by `config`, and allowed everything. */
  readonly auth?: RedisServerOptions['auth']
  /** The members are `server-1`, `server-2`, …, `sentinel-1`, …. @default each is found at its own port */
  readonly network?: {
    /** @returns the port of a proxy in front of that member */
    readonly expose: (member: string, port: number) => Promise<number>
    /** @returns the loopback address that it connects to others from. @default the usual one */
    readonly source?: (member: string) => string
  }
}

/** Milliseconds that the Sentinels are given to find each other, or a new master. */
const PATIENCE = 40_000

/**
 * What a Sentinel of Redis 7 can be made to do more often, in milliseconds. Else it asks the others once a second whether
 * they agree, looks at the replicas every ten, and takes half a minute off when the machine has stalled.
 */
const PERIODS = ['ASK-PERIOD', '200', 'INFO-PERIOD', '500', 'PUBLISH-PERIOD', '200', 'TILT-PERIOD', '1000']

/** One master, its replicas and their Sentinels on free loopback ports: what examples and tests fail over. */
export class SentinelCluster {
  readonly name: string
  /** The first master first. */
  readonly servers: RedisServer[] = []
  readonly sentinels: RedisServer[] = []

  private constructor(name: string) {
    this.name = name
  }

  /** Settles once every replica is in step and every Sentinel knows all of the others. */
  static async start(options: SentinelClusterOptions = {}): Promise<SentinelCluster> {
    const { name = 'mymaster', replicas = 2, sentinels = 3, priorities = [], auth } = options
    const downAfter = options.downAfter ?? (options.network ? 1_000 : 300)
    const places = await placesOf(options, 1 + replicas, sentinels)
    const shared = { name, downAfter, auth, ...places }
    const cluster = new SentinelCluster(name)
    try {
      await startAll(cluster.servers, places.servers, (place, i) => ({
        ...place,
        auth,
        config: [...serverConfig(place, shared, priorities[i] ?? 100), ...(options.config ?? [])],
      }))
      // Before the Sentinels look: what has just started is soon taken for dead.
      await cluster.#inStep(cluster.servers[0])
      await startAll(cluster.sentinels, places.sentinels, (place) => ({
        ...place,
        sentinel: true,
        config: sentinelConfig(place, shared),
        first: [['SENTINEL', 'DEBUG', ...PERIODS]],
      }))
      await cluster.settled()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** For `sentinels` of a relay. */
  get addresses(): { host: string; port: number }[] {
    return this.sentinels.map(({ exposedPort }) => ({ host: '127.0.0.1', port: exposedPort }))
  }

  /** The one that most of the Sentinels name. */
  async master(): Promise<RedisServer | undefined> {
    const named = await Promise.all(this.sentinels.map((sentinel) => this.#namedBy(sentinel)))
    return this.servers.find(
      (server) => named.filter((port) => port === server.exposedPort).length * 2 > this.sentinels.length,
    )
  }

  /** Settles with the new master once most of the Sentinels name another than this one, and it knows that it is it. */
  async failedOver(from: RedisServer): Promise<RedisServer> {
    let master: RedisServer | undefined
    await until('a new master', async () => {
      master = await this.master()
      return master !== undefined && master !== from && (await roleOf(master)) === 'master'
    })
    return master!
  }

  /** Settles once every server that runs is in step with the master, and the Sentinels see all of them. */
  async settled(): Promise<void> {
    await this.#inStep()
    const running = this.servers.filter(({ isRunning }) => isRunning)
    await until('the Sentinels to see everybody', async () => {
      const seen = await Promise.all(this.sentinels.map((sentinel) => this.#seenBy(sentinel)))
      return seen.every((up) => up === running.length + this.sentinels.length - 1)
    })
  }

  /** @param known the master, where it is not the one that the Sentinels name */
  async #inStep(known?: RedisServer): Promise<void> {
    await until('the replicas to be in step', async () => {
      const master = known ?? (await this.master())
      const others = this.servers.filter((server) => server.isRunning && server !== master)
      const links = await Promise.all(others.map(async (server) => String(await server.command('ROLE'))))
      return links.every((link) => link.startsWith(`slave,127.0.0.1,${master?.exposedPort},connected`))
    })
  }

  async stop(): Promise<void> {
    await Promise.all([...this.servers, ...this.sentinels].map((server) => server.stop()))
  }

  async #namedBy(sentinel: RedisServer): Promise<number | undefined> {
    try {
      const address = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name)
      return Array.isArray(address) ? Number(address[1]) : undefined
    } catch {
      return undefined
    }
  }

  /** How many others it thinks well of. */
  async #seenBy(sentinel: RedisServer): Promise<number> {
    const lists = await Promise.all(
      ['MASTERS', 'REPLICAS', 'SENTINELS'].map((what) =>
        sentinel.command('SENTINEL', what, ...(what === 'MASTERS' ? [] : [this.name])),
      ),
    )
    const flags = (lists as object[][])
      .flat()
      .map((entry) => new Map<string, unknown>(Object.entries(entry)).get('flags'))
    return flags.filter((flag) => ['master', 'slave', 'sentinel'].includes(String(flag))).length
  }
}

/** @throws the first failure, when all of them have settled: those that did start are in `into` */
async function startAll(
  into: RedisServer[],
  places: readonly Place[],
  optionsOf: (place: Place, index: number) => RedisServerOptions,
): Promise<void> {
  const results = await Promise.allSettled(places.map((place, i) => RedisServer.start(optionsOf(place, i))))
  into.push(...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function placesOf({ network }: SentinelClusterOptions, servers: number, sentinels: number) {
  const place = async (member: string, port: number): Promise<Place> => ({
    port,
    exposedPort: (await network?.expose(member, port)) ?? port,
    source: network?.source?.(member),
    id: randomBytes(20).toString('hex'),
  })
  const ports = await freePorts(servers + sentinels)
  const places = await Promise.all(
    ports.map((port, i) => place(i < servers ? `server-${i + 1}` : `sentinel-${i - servers + 1}`, port)),
  )
  return { servers: places.slice(0, servers), sentinels: places.slice(servers) }
}

async function roleOf(server: RedisServer): Promise<string> {
  return String(await server.command('ROLE')).split(',')[0]!
}

/** A question that fails is asked again. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE} ms in vain for ${what}`)
    await sleep(20)
  }
}
