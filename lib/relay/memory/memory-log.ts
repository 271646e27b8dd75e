import { type Appended, type Batch, type Entry, type History, type Placed } from '../session/entry.ts'
import { type Gap } from '../session/session.ts'

/** Milliseconds for which publishers and ids are remembered, as the keys in Redis are. */
export const REMEMBERED = 600_000
/** A log that nobody has appended to is forgotten after so many times its ttl. */
const LIVES = 10

interface Kept extends Entry {
  readonly at: number
}

/** One channel: what the scripts do in Redis, done here. Time is monotonic milliseconds. */
export class MemoryLog {
  readonly epoch: string
  #top = 0
  #history: History = { length: 0, ttl: 0 }
  #touched = 0
  /** Oldest first; those before `#first` are gone. */
  #entries: Kept[] = []
  #first = 0
  readonly #publishers = new Map<string, { seq: number; at: number }>()
  readonly #ids = new Map<string, { offset: number; at: number }>()

  constructor(epoch: string) {
    this.epoch = epoch
  }

  get top(): number {
    return this.#top
  }

  /** @param placed told of each entry that is new, before the next one is appended */
  append(batch: Batch, history: History, now: number, placed: (entry: Entry) => number): Appended {
    const { pid, floor, entries } = batch
    // What has expired is gone, also if it would be kept for longer from now on.
    this.#trim(now)
    this.#history = history
    this.#touched = now
    this.#forget(now)
    const last = this.#publishers.get(pid)?.seq ?? 0
    const start = entries[0]?.seq ?? 0
    if (start > Math.max(last, floor - 1) + 1) return { status: 'hole', last }
    const result = entries.map(({ seq, body, id }): Placed => {
      if (seq <= last) return { offset: this.#offsetOf(pid, seq), duplicate: true, receivers: 0 }
      const known = id === undefined ? undefined : this.#ids.get(id)
      if (known) return { offset: known.offset, duplicate: true, receivers: 0 }
      const entry = { offset: ++this.#top, pid, seq, body, at: now }
      if (id !== undefined) this.#ids.set(id, { offset: entry.offset, at: now })
      if (history.length > 0) this.#entries.push(entry)
      return { offset: entry.offset, duplicate: false, receivers: placed(entry) }
    })
    const end = entries.at(-1)?.seq ?? 0
    this.#publishers.delete(pid)
    this.#publishers.set(pid, { seq: Math.max(last, end), at: now })
    this.#trim(now)
    return { status: 'placed', epoch: this.epoch, placed: result }
  }

  /** What comes behind `offset`. */
  after(offset: number, limit: number, now: number): { gap: Gap | undefined; entries: readonly Entry[] } {
    this.#trim(now)
    const first = this.#entries[this.#first]?.offset ?? this.#top + 1
    const full = this.#entries.length - this.#first >= this.#history.length
    const gap: Gap | undefined =
      offset + 1 < first
        ? { from: offset + 1, to: first - 1, reason: full ? 'trimmed' : 'expired' }
        : undefined
    const start = this.#first + Math.max(0, offset + 1 - first)
    return { gap, entries: this.#entries.slice(start, start + limit) }
  }

  /** The offset behind which everything is kept. */
  begin(now: number): number {
    this.#trim(now)
    return (this.#entries[this.#first]?.offset ?? this.#top + 1) - 1
  }

  forgotten(now: number): boolean {
    return now - this.#touched > Math.max(this.#history.ttl * LIVES, REMEMBERED)
  }

  #offsetOf(pid: string, seq: number): number {
    return this.#entries.findLast((entry) => entry.pid === pid && entry.seq === seq)?.offset ?? 0
  }

  #trim(now: number): void {
    const { length, ttl } = this.#history
    const enough = this.#entries.length - length
    let first = Math.max(this.#first, enough)
    // As a key expires in Redis: the whole log, when nothing came for its time.
    if (now - this.#touched > ttl) first = this.#entries.length
    this.#first = first
    // Moved together now and then, not at each entry.
    if (first > 64 && first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(first)
      this.#first = 0
    }
  }

  /** In the order of their last use. */
  #forget(now: number): void {
    for (const memory of [this.#publishers, this.#ids]) {
      for (const [key, { at }] of memory) {
        if (now - at <= REMEMBERED) break
        memory.delete(key)
      }
    }
  }
}
