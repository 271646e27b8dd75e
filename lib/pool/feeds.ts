import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { Feed, type FeedOptions } from '../discovery/feed.ts'
import { type SourceOf } from '../discovery/source.ts'
import { type BackendSpec } from './membership.ts'

/** Where a pool gets its backends, other than from a list in the config. */
export interface PoolSource extends FeedOptions {
  readonly source: SourceOf<unknown>
  /** What the config has there: as long as it is the same value, the source goes on over a reload. */
  readonly origin: unknown
  /** @throws ConfigError with what is wrong with the list */
  readonly parse: (list: unknown) => readonly BackendSpec[]
}

/** What a new list did, by id. */
export interface Change {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

export interface FeedsDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  /** Makes these the backends of a pool. */
  readonly update: (pool: string, backends: readonly BackendSpec[]) => Change
}

interface Wanted {
  readonly name: string
  readonly backends: readonly BackendSpec[]
  readonly source: PoolSource | undefined
}

interface Running {
  readonly origin: unknown
  readonly feed: Feed<BackendSpec>
}

/** The sources of all pools. */
export class Feeds {
  readonly #deps: FeedsDependencies
  readonly #byPool = new Map<string, Running>()
  #running = false

  constructor(deps: FeedsDependencies) {
    this.#deps = deps
  }

  of(pool: string): Feed<BackendSpec> | undefined {
    return this.#byPool.get(pool)?.feed
  }

  /** @param pools as they are to be, with the backends that they have until their source gives a list */
  apply(pools: readonly Wanted[]): void {
    const next = new Map(pools.map((pool) => [pool.name, pool]))
    for (const [pool, { origin, feed }] of this.#byPool) {
      const source = next.get(pool)?.source
      if (source && source.origin === origin) {
        feed.options = source
        continue
      }
      feed.stop()
      this.#byPool.delete(pool)
    }
    for (const { name, source, backends } of pools) {
      if (!source || this.#byPool.has(name)) continue
      const feed = this.#feed(name, source, backends)
      this.#byPool.set(name, { origin: source.origin, feed })
      if (this.#running) feed.start()
    }
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    for (const { feed } of this.#byPool.values()) feed.start()
  }

  /** For good. */
  stop(): void {
    for (const { feed } of this.#byPool.values()) feed.stop()
  }

  /** Starts them. @returns settles when each has its first list, or is not waited for any longer */
  async firstLists(): Promise<void> {
    this.start()
    await Promise.all([...this.#byPool.values()].map(({ feed }) => feed.ready()))
  }

  #feed(pool: string, options: PoolSource, present: readonly BackendSpec[]): Feed<BackendSpec> {
    const { events, clock, random, update } = this.#deps
    const who = { pool, source: options.source.name }
    return new Feed(options.source, present, options, {
      clock,
      random,
      parse: options.parse,
      onMembers: (members, isNews) =>
        events.after(() => {
          const change = update(pool, members)
          const count = change.added.length + change.removed.length + change.changed.length
          if (isNews || count > 0) events.emit('discovery:update', { ...who, ...change })
        }),
      onFailure: (error, kept) => events.emit('discovery:failed', { ...who, kept, error }),
    })
  }
}
