import { type Clock } from '../core/clock.ts'
import { SlidingCounts } from '../core/sliding-counts.ts'

/** How much trying again may cost the backends of a pool. */
export interface RetryBudgetOptions {
  /** Retries in vain, as a part of the requests. */
  readonly share: number
  /** Retries in vain a second that are allowed however few requests there are. */
  readonly minPerSecond: number
  /** Milliseconds over which both are counted. */
  readonly window: number
}

export const RETRY_BUDGET_DEFAULTS: RetryBudgetOptions = { share: 0.5, minPerSecond: 10, window: 10_000 }

/**
 * Keeps retries from multiplying an outage. A retry that a backend answers has cost nobody anything: what is paid for is
 * one in vain. Of those under way as many are taken to be in vain as were of late; before that is known, as many as there
 * are backends that fail. So the first wave of an outage is held to the share as well.
 */
export class RetryBudget {
  readonly #clock: Clock
  #options: RetryBudgetOptions | undefined
  #counts: SlidingCounts<'requests' | 'inVain' | 'answered'>
  readonly #failingShare: () => number
  #underWay = 0
  /** Requests that wait for their answer and are no retries. */
  #waiting = 0

  /**
   * @param options `undefined`: no limit
   * @param failingShare the part of the backends that fail at present, 0 to 1; asked only when much is under way
   */
  constructor(options: RetryBudgetOptions | undefined, clock: Clock, failingShare: () => number) {
    this.#clock = clock
    this.#failingShare = failingShare
    this.#options = options
    this.#counts = countsFor(options)
  }

  /** What was counted is forgotten only when it would be counted over another time. */
  set options(options: RetryBudgetOptions | undefined) {
    if (options?.window !== this.#options?.window) this.#counts = countsFor(options)
    this.#options = options
  }

  /** A request has come, which is no retry. */
  deposit(): void {
    this.#waiting++
    if (this.#options) this.#counts.add('requests', this.#clock.now())
  }

  /** It has ended, or has its answer. */
  settle(): void {
    this.#waiting--
  }

  /** Whether one more retry is within the budget. */
  get allows(): boolean {
    if (!this.#options) return true
    const { share, minPerSecond, window } = this.#options
    const now = this.#clock.now()
    // Whoever asks is one of them, however long ago it came.
    const requests = Math.max(1, this.#counts.of('requests', now))
    const inVain = this.#counts.of('inVain', now)
    const known = inVain + this.#counts.of('answered', now)
    const expected = known > 0 ? this.#underWay * (inVain / known) : 0
    const least = (minPerSecond * window) / 1_000
    if (inVain + expected >= share * requests + least) return false
    // Those that hung until now came before the window; they have paid for their retries all the same.
    const most = share * Math.max(requests, this.#waiting + this.#underWay) + least
    return this.#underWay < most || this.#underWay * this.#failingShare() < most
  }

  /** A retry begins. */
  begin(): void {
    this.#underWay++
  }

  /** It has ended: a backend has answered, it was in vain, or nobody can say, for its client has left. */
  end(how: 'answered' | 'inVain' | undefined): void {
    this.#underWay--
    if (how && this.#options) this.#counts.add(how, this.#clock.now())
  }
}

function countsFor(options: RetryBudgetOptions | undefined) {
  const { window } = options ?? RETRY_BUDGET_DEFAULTS
  return new SlidingCounts(window, ['requests', 'inVain', 'answered'])
}
