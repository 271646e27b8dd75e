import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'

/** How much a strategy may remember. */
export interface MemoryLimits {
  /** Ids at most; the one not seen for longest goes first. */
  readonly max: number
  /** Milliseconds after which an id that was not seen again is forgotten. */
  readonly ttl: number
}

/** Which client, session, room … is on which backend: what a pool keeps for a strategy, by the strategy's name. */
export interface StickyMemory {
  /** The backend of an id, which counts as seen. It may have left the pool a moment ago. */
  get(id: string): Backend | undefined
  /** Ids that are empty or longer than 512 characters are not kept: clients may have made them up. */
  set(id: string, backend: Backend): void
}

export const DEFAULT_LIMITS: MemoryLimits = { max: 100_000, ttl: 3_600_000 }
const LONGEST_ID = 512

interface Entry {
  readonly id: string
  backend: Backend
  seenAt: number
  /** Seen before this one, and after it. */
  older: Entry | undefined
  newer: Entry | undefined
}

/**
 * In the order in which ids were last seen. Has no timer: what has lapsed goes when something is added, so that never
 * more than `max` ids are held. A list, because finding the oldest key of a `Map` costs a walk over the deleted ones.
 */
export class Memory implements StickyMemory {
  #limits: MemoryLimits
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  #oldest: Entry | undefined
  #newest: Entry | undefined

  constructor(clock: Clock, limits: MemoryLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  set limits(limits: MemoryLimits) {
    this.#limits = limits
    this.#trim(this.#clock.now())
  }

  get(id: string): Backend | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    const now = this.#clock.now()
    if (this.#hasLapsed(entry, now)) return void this.#delete(entry)
    this.#see(entry, now)
    return entry.backend
  }

  set(id: string, backend: Backend): void {
    if (id === '' || id.length > LONGEST_ID) return
    const now = this.#clock.now()
    let entry = this.#entries.get(id)
    if (entry) {
      entry.backend = backend
    } else {
      // A part of a string keeps the whole alive, here the url or the answer it was cut from.
      const own = Buffer.from(id).toString()
      entry = { id: own, backend, seenAt: now, older: undefined, newer: undefined }
      this.#entries.set(own, entry)
    }
    this.#see(entry, now)
    this.#trim(now)
  }

  forget(backends: readonly Backend[]): void {
    if (backends.length === 0) return
    const gone = new Set(backends)
    for (const entry of this.#entries.values()) if (gone.has(entry.backend)) this.#delete(entry)
  }

  #hasLapsed({ seenAt }: Entry, now: number): boolean {
    return now - seenAt >= this.#limits.ttl
  }

  #trim(now: number): void {
    while (this.#oldest && (this.#entries.size > this.#limits.max || this.#hasLapsed(this.#oldest, now)))
      this.#delete(this.#oldest)
  }

  #see(entry: Entry, now: number): void {
    entry.seenAt = now
    if (this.#newest === entry) return
    this.#unlink(entry)
    entry.older = this.#newest
    if (this.#newest) this.#newest.newer = entry
    this.#newest = entry
    this.#oldest ??= entry
  }

  #delete(entry: Entry): void {
    this.#unlink(entry)
    this.#entries.delete(entry.id)
  }

  #unlink(entry: Entry): void {
    const { older, newer } = entry
    if (older) older.newer = newer
    if (newer) newer.older = older
    if (this.#oldest === entry) this.#oldest = newer
    if (this.#newest === entry) this.#newest = older
    entry.older = entry.newer = undefined
  }
}
