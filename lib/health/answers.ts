import { SlidingCounts } from '../core/sliding-counts.ts'
import { type ErrorShare } from './ejection-options.ts'

/** What a backend has answered of late: how much of it was an error, and to whom. */
export class Answers {
  readonly window: number
  readonly #counts: SlidingCounts<'all' | 'errors'>
  #network: string | undefined
  /** Of the latest error to this network. */
  #at = -Infinity
  /** Of the latest error to another one. */
  #otherAt = -Infinity

  /** @param window milliseconds */
  constructor(window: number) {
    this.window = window
    this.#counts = new SlidingCounts(window, ['all', 'errors'])
  }

  good(now: number): void {
    this.#counts.add('all', now)
  }

  /** @returns the share of errors, when there are enough answers to speak of one, and clients of two networks saw errors */
  error(network: string, { min }: ErrorShare, now: number): number | undefined {
    this.#counts.add('all', now)
    this.#counts.add('errors', now)
    if (network !== this.#network) {
      this.#otherAt = this.#at
      this.#network = network
    }
    this.#at = now
    const all = this.#counts.of('all', now)
    if (all < min || now - this.#otherAt >= this.window) return undefined
    return this.#counts.of('errors', now) / all
  }
}
