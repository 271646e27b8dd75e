const SECOND = 1_000
/** Milliseconds: what comes in that time may be used at once, after a lull. */
const BURST = SECOND / 10
/** Sums of fractions are not exact: less than a microsecond is no time. */
const NOTHING = 1e-3

/**
 * A token bucket that holds what comes in a tenth of a second, and at least one, by virtual scheduling (GCRA,
 * ITU-T I.371): one number, no timer, and a token that is not there yet can be taken in advance, by somebody who waits
 * for it. In any stretch of t seconds at most `rate * t + max(1, rate / 10)` tokens fall due.
 */
export class TokenBucket {
  readonly #rate: () => number
  /** When it was empty, or will be: the last token that was taken in advance falls due then. */
  #emptyAt = -Infinity

  /** @param rate tokens a second, 1 or more; `Infinity` never waits. Read anew each time, so that it may change */
  constructor(rate: () => number) {
    this.#rate = rate
  }

  /** Nobody has to wait, or to take a token. */
  get isUnlimited(): boolean {
    return this.#rate() === Infinity
  }

  /** Milliseconds until there is a token for who asks now. */
  wait(now: number): number {
    const rate = this.#rate()
    if (rate === Infinity) return 0
    const wait = this.#emptyAt + SECOND / rate - now
    return wait > NOTHING ? wait : 0
  }

  /** Takes a token. @returns when it may be used, not before `now` */
  take(now: number): number {
    const due = now + this.wait(now)
    const interval = SECOND / this.#rate()
    this.#emptyAt = Math.max(this.#emptyAt, now - Math.max(BURST, interval)) + interval
    return due
  }

  /** Takes a token if nobody has to wait for it. */
  takeIfThere(now: number): void {
    if (this.wait(now) === 0) this.take(now)
  }

  /**
   * A token that was taken in advance is not wanted any more. Only the last one can be had by somebody else: what comes
   * after another has been promised for its time already, and two that come instead of it would be too many.
   * @param due what {@link take} returned
   */
  giveBack(due: number): void {
    if (this.#emptyAt - due < NOTHING) this.#emptyAt -= SECOND / this.#rate()
  }
}
