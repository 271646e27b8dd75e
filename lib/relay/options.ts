import { type Clock, type Random } from '../core/clock.ts'
import { type Logger } from '../core/logger.ts'
import { type MemoryStore } from './memory/memory-store.ts'
import { type RedisTarget } from './redis/redis-target.ts'

export interface RelayOptions {
  /** The Redis that joins the nodes. Without it they are joined in memory, see {@link memory}. */
  redis?: RedisTarget
  /** Relays of one process that are given the same store are joined. @default a store of its own */
  memory?: MemoryStore
  /** Unique among the nodes that are running. @default random */
  nodeId?: string
  /** What the keys in Redis begin with. @default 'w' */
  prefix?: string
  /** What is kept of every channel; `relay.channel()` overrides it for one. */
  history?: HistoryOptions
  publish?: PublishLimits
  /**
   * A node uses a master only while a majority of the Sentinels has confirmed it less than `ms` milliseconds ago, and
   * waits as long before it uses a new one: no two nodes use different masters at the same time. Only with Sentinel.
   * @default { ms: 2000 }
   */
  lease?: { ms: number } | false
  /** Pino-shaped. @default nothing is logged */
  log?: Logger
  /** @default the system's */
  clock?: Clock
  /** @default Math.random */
  random?: Random
}

export interface HistoryOptions {
  /** Messages. 0: nothing is kept, a message reaches who listens at that moment. @default 1000 */
  length?: number
  /** Milliseconds. @default 120000 */
  ttlMs?: number
}

export interface PublishLimits {
  /** Replicas that must hold a message before `publish()` resolves with `ack: 'replicated'`. @default 1 with Sentinel, else 0 */
  replicas?: number
  /** Milliseconds for which a message is repeated to a new master. @default 15000 */
  graceMs?: number
  /** Bytes of all messages that are under way or kept for repetition. @default 64 MiB */
  outboxBytes?: number
  /** What `publish()` does when the outbox is full. With `'wait'` its callers are to await it: what waits has no limit. @default 'reject' */
  onFull?: 'reject' | 'wait'
  /** Bytes of one message. @default 1 MiB */
  maxBytes?: number
}
