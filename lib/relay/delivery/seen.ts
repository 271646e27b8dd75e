/** Milliseconds for which a publisher that is silent is remembered: as long as its key in Redis. */
const REMEMBERED = 600_000

/** Ids of the application that are remembered. */
const IDS = 4_096

/** The last message of each publisher that was delivered. What is repeated to a new master is not delivered again. */
export class Seen {
  /** In the order of their last message. */
  readonly #publishers = new Map<string, { seq: number; at: number }>()

  /** Of the last messages that had one: the same may come from two publishers, and after a change of master from each. */
  readonly #ids = new Set<string>()

  static from(seen: Readonly<Record<string, number>>, now: number): Seen {
    const result = new Seen()
    for (const [pid, seq] of Object.entries(seen)) result.#publishers.set(pid, { seq, at: now })
    return result
  }

  /** @returns whether the message is a new one, which then it is no longer */
  take(pid: string, seq: number, now: number): boolean {
    const known = this.#publishers.get(pid)
    if (known && seq <= known.seq) return false
    // Set again, so that the order stays that of the last messages.
    if (known) this.#publishers.delete(pid)
    else this.#forget(now)
    this.#publishers.set(pid, { seq, at: now })
    return true
  }

  /** @returns whether the id is a new one, which then it is no longer */
  takeId(id: string): boolean {
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    if (this.#ids.size > IDS) for (const oldest of this.#ids) return this.#ids.delete(oldest)
    return true
  }

  has(pid: string, seq: number): boolean {
    return seq <= this.last(pid)
  }

  /** 0 for a publisher of whom nothing was seen. */
  last(pid: string): number {
    return this.#publishers.get(pid)?.seq ?? 0
  }

  /** As it was before the last message of a publisher. @param last see {@link last} */
  before(pid: string, last: number): Seen {
    const result = this.union(undefined)
    const known = result.#publishers.get(pid)
    if (last === 0) result.#publishers.delete(pid)
    else if (known) result.#publishers.set(pid, { ...known, seq: last })
    return result
  }

  /** Those whose last message came at most `span` milliseconds before the last message of all. */
  recent(span: number): Record<string, number> {
    const result: Record<string, number> = {}
    let last = -Infinity
    for (const { at } of this.#publishers.values()) last = Math.max(last, at)
    for (const [pid, { seq, at }] of this.#publishers) if (last - at <= span) result[pid] = seq
    return result
  }

  /** What either of the two has seen. */
  union(other: Seen | undefined): Seen {
    const result = new Seen()
    for (const [pid, last] of this.#publishers) result.#publishers.set(pid, last)
    for (const [pid, last] of other ? other.#publishers : [])
      if (!this.has(pid, last.seq)) result.#publishers.set(pid, last)
    for (const id of this.#ids) result.#ids.add(id)
    return result
  }

  /** What the other one has not seen; `undefined` when that is nothing. */
  beyond(other: Seen): Seen | undefined {
    const result = new Seen()
    for (const [pid, last] of this.#publishers)
      if (!other.has(pid, last.seq)) result.#publishers.set(pid, last)
    return result.#publishers.size > 0 ? result : undefined
  }

  #forget(now: number): void {
    for (const [pid, { at }] of this.#publishers) {
      if (now - at <= REMEMBERED) return
      this.#publishers.delete(pid)
    }
  }
}
