import { type RedisServer } from '../../../examples/support/redis-server.ts'
import {
  type SentinelCluster,
  type SentinelClusterOptions,
} from '../../../examples/support/sentinel-cluster.ts'
import { MemoryStore, type RelayOptions } from '../../../lib/relay/index.ts'
import { type Scope } from '../../support/balancer.ts'
import { Network } from '../../support/network.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startCluster } from '../../support/sentinel-cluster.ts'
import { until } from '../../support/until.ts'
import { ChildNode } from './child-node.ts'
import { check, type Verdict } from './checker.ts'
import { CHANNEL, Node, type NodeOptions } from './node.ts'
import { monotonicNow, Recorder } from './record.ts'

export interface StageOptions {
  readonly on: 'memory' | 'redis' | 'sentinel'
  readonly cluster?: SentinelClusterOptions
  /** Lines for the `redis.conf` of a single server. */
  readonly config?: readonly string[]
  /** Members and nodes can be parted. @default false */
  readonly network?: boolean
  readonly relay?: Omit<RelayOptions, 'redis' | 'memory'>
}

type Sentinels = readonly { host: string; port: number }[]

/** Milliseconds that everybody is given to recover: the machine may be busy. */
const PATIENCE = 40_000
/** Milliseconds after which what has not come yet does not come any more, when all is well again. */
const ENOUGH = 10_000
/** What `MAXLEN ~` may leave above the limit. */
const SLACK = 100
const HISTORY = { length: 100_000, ttlMs: 600_000 }
const PUBLISH = { graceMs: 15_000, outboxBytes: 16 << 20 }

/** Where a fault is played: the servers, the nodes, and the record of what they meet. */
export class Stage {
  readonly recorder = new Recorder()
  readonly nodes: Node[] = []
  readonly #t: Scope
  readonly #options: StageOptions
  readonly #memory = new MemoryStore()
  readonly #children: ChildNode[] = []
  #network: Network | undefined
  #server: RedisServer | undefined
  #cluster: SentinelCluster | undefined

  private constructor(t: Scope, options: StageOptions) {
    this.#t = t
    this.#options = options
  }

  static async open(t: Scope, options: StageOptions): Promise<Stage> {
    const stage = new Stage(t, options)
    const network = options.network ? new Network(t) : undefined
    stage.#network = network
    if (options.on === 'redis') stage.#server = await startRedis(t, { config: options.config ?? [] })
    if (options.on === 'sentinel') {
      stage.#cluster = await startCluster(t, { ...options.cluster, ...(network ? { network } : {}) })
    }
    t.teardown(() => Promise.all(stage.nodes.map((node) => node.close())))
    return stage
  }

  get server(): RedisServer {
    return present(this.#server, 'a single server')
  }

  get cluster(): SentinelCluster {
    return present(this.#cluster, 'a cluster')
  }

  get network(): Network {
    return present(this.#network, 'a network')
  }

  /** One that has nothing to do with this one, but the name of its master. */
  async otherCluster(options: SentinelClusterOptions): Promise<SentinelCluster> {
    return startCluster(this.#t, { ...options, name: this.cluster.name })
  }

  /** A node that listens. @param sentinels what it is told of them. @default all of them */
  async node(name: string, sentinels?: Sentinels): Promise<Node> {
    const node = new Node(await this.#optionsOf(name, sentinels), this.recorder.add, this.#memory)
    this.nodes.push(node)
    await node.listen()
    return node
  }

  /** A node in a process of its own, which is not started yet. */
  async child(name: string): Promise<ChildNode> {
    const child = new ChildNode(this.#t, await this.#optionsOf(name), this.recorder)
    this.#children.push(child)
    return child
  }

  /** Settles when every node gets what is published from now on. */
  async calm(): Promise<void> {
    const now = monotonicNow()
    const subscribers = this.nodes.map(({ name }) => name)
    const calm = () => subscribers.every((name) => this.recorder.isUpToDate(name, now))
    await until(calm, 'every node to get what is published now', PATIENCE)
  }

  /** Settles when that child gets what is published from now on. */
  async caughtUp(child: ChildNode): Promise<void> {
    const now = monotonicNow()
    const isUpToDate = () => child.collect().length >= 0 && this.recorder.isUpToDate(child.name, now)
    await until(isUpToDate, `${child.name} to get what is published now`, PATIENCE)
  }

  /** Settles when something that this child has published is confirmed. */
  async heardOf(child: ChildNode): Promise<void> {
    await until(
      () => child.collect().some(({ kind }) => kind === 'ack'),
      `${child.name} to publish`,
      PATIENCE,
    )
  }

  /** Everything that was published is confirmed and delivered, or told to be lost. Then the nodes are closed. */
  async finish(): Promise<Verdict> {
    for (const node of this.nodes) node.stopPublishing()
    await until(() => this.nodes.every((node) => node.unsettled === 0), 'all to be confirmed', ENOUGH).catch(
      () => {},
    )
    for (const { name, unsettled } of this.nodes) {
      this.recorder.add({
        kind: 'usage',
        what: `messages of ${name} without an answer`,
        used: unsettled,
        limit: 0,
      })
    }
    const reader = new Node(await this.#optionsOf('reader'), () => {}, this.#memory)
    try {
      const listening = [...this.nodes, ...this.#children.filter((child) => child.isListening)]
      const entries = await reader.readAll(ENOUGH, () => {
        for (const child of this.#children) child.collect()
        return listening.every(({ name }) => this.recorder.hasEnded(name))
      })
      this.recorder.add({ kind: 'log', channel: CHANNEL, entries })
      const { length = 0 } = { ...HISTORY, ...this.#options.relay?.history }
      this.recorder.add({
        kind: 'usage',
        what: 'entries of the history',
        used: entries.length,
        limit: length + SLACK,
      })
    } finally {
      await reader.close()
    }
    await Promise.all([...this.nodes, ...this.#children].map((node) => node.close()))
    return check(this.recorder.events, { ...PUBLISH, ...this.#options.relay?.publish })
  }

  async #optionsOf(name: string, sentinels?: Sentinels): Promise<NodeOptions> {
    const { relay } = this.#options
    const members = [...(this.#cluster?.servers ?? []), ...(this.#cluster?.sentinels ?? [])]
    const ways = await this.#network?.ways(name, members)
    const redis = this.#cluster
      ? { sentinels: sentinels ?? this.#cluster.addresses, name: this.#cluster.name }
      : this.#server && { url: this.#server.url }
    return {
      name,
      relay: {
        history: HISTORY,
        lease: { ms: 800 },
        ...relay,
        publish: { ...PUBLISH, ...relay?.publish },
        ...(redis ? { redis } : {}),
      },
      ...(ways ? { ways } : {}),
    }
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`this stage has not ${what}`)
  return value
}
