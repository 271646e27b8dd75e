/** Milliseconds that a backend must be well after its second return in a short while; twice that each further time. */
const FIRST_HOLD = 5_000
/** Returns that count at most: they make a hold of 40 seconds. A longer one would do more harm than the backend. */
const MOST_RETURNS = 4
/** Milliseconds of being up that make up for one return. */
const FORGIVEN_AFTER = 60_000

/**
 * What makes a backend that comes and goes stay away: each return that is not forgiven yet doubles the time it must be
 * well before the next one counts. A single outage costs nothing.
 */
export class Damping {
  #returns = 0
  #returnedAt = 0

  /** To be asked when it fails. @returns milliseconds that it must be well without a failure */
  hold(now: number): number {
    const forgiven = Math.floor((now - this.#returnedAt) / FORGIVEN_AFTER)
    this.#returns = Math.max(0, this.#returns - forgiven)
    return this.#returns === 0 ? 0 : FIRST_HOLD * 2 ** (this.#returns - 1)
  }

  returned(now: number): void {
    this.#returns = Math.min(this.#returns + 1, MOST_RETURNS)
    this.#returnedAt = now
  }

  /** What has been does not count, e.g. because somebody has restarted it. */
  forgive(): void {
    this.#returns = 0
  }
}
