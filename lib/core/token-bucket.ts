const SECOND = 1_000
/** Sums of fractions are not exact: less than a microsecond is no time. */
const NOTHING = 1e-3

/**
 * A token bucket that holds what comes in a second, by virtual scheduling (GCRA, ITU-T I.371): one number, no timer,
 * and a token that is not there yet can be taken in advance, by somebody who waits for it.
 * In any stretch of t seconds at most `rate * (t + 1)` tokens fall due.
 */
export class TokenBucket {
  readonly #rate: () => number
  /** When it will be full again. */
  #fullAt = -Infinity

  /** @param rate tokens a second, 1 or more; `Infinity` never waits. Read anew each time, so that it may change */
  constructor(rate: () => number) {
    this.#rate = rate
  }

  /** Milliseconds until there is a token for who asks now. */
  wait(now: number): number {
    const rate = this.#rate()
    if (rate === Infinity) return 0
    const wait = this.#fullAt + SECOND / rate - SECOND - now
    return wait > NOTHING ? wait : 0
  }

  /** Takes a token. @returns milliseconds until it may be used */
  take(now: number): number {
    const wait = this.wait(now)
    this.#fullAt = Math.max(this.#fullAt, now) + SECOND / this.#rate()
    return wait
  }

  /** A token that was taken in advance is not wanted any more. */
  giveBack(): void {
    this.#fullAt -= SECOND / this.#rate()
  }
}
