import { SlidingCounts } from '../core/sliding-counts.ts'
import { type ErrorShare } from './ejection-options.ts'

/** What a backend is asked to do. A good answer to one kind says nothing of the other. */
export type Work = 'request' | 'upgrade'

/** An open WebSocket, as a witness. */
export interface OpenTunnel {
  /** Milliseconds since the `101`. */
  readonly age: number
  readonly ending: boolean
  readonly request: { readonly clientAddress: string }
}

/** WebSockets that a backend has broken off early, one after the other. */
interface EarlyCloses {
  count: number
  /** When the first of them was opened, by the clock. */
  readonly since: number
  /** How long the longest of them lived. */
  longest: number
  /** Whose they were; `undefined`: several clients'. */
  client: string | undefined
}

/** What traffic has told of one backend since it last did well: three runs of failures, each of its own kind. */
export class Outlier {
  readonly #failures = { request: 0, upgrade: 0 }
  #early: EarlyCloses | undefined
  #answers: SlidingCounts<'all' | 'errors'> | undefined
  #window = 0
  #reason = ''

  /** The longest run. */
  get failures(): number {
    return Math.max(this.#failures.request, this.#failures.upgrade, this.earlyCloses)
  }

  get earlyCloses(): number {
    return this.#early?.count ?? 0
  }

  /** Of the latest failure. */
  get reason(): string {
    return this.#reason
  }

  /** It has done as it was asked. */
  succeeded(work: Work): void {
    this.#failures[work] = 0
  }

  failed(work: Work, reason: string): void {
    this.#reason = reason
    this.#failures[work]++
  }

  brokeOff(client: string, age: number, now: number, reason: string): void {
    this.#reason = reason
    const early = (this.#early ??= { count: 0, since: now - age, longest: 0, client })
    early.count++
    early.longest = Math.max(early.longest, age)
    if (early.client !== client) early.client = undefined
  }

  /** A WebSocket was kept, or closed as it should be. One from before the first failure says nothing of now. */
  held(openedAt: number): void {
    if (this.#early && openedAt > this.#early.since) this.#early = undefined
  }

  /**
   * Drops the early closes where WebSockets that are open say otherwise: one opened since has outlived them all, or they were
   * of one client only, and one of somebody else's has. What one client brings on itself is not held against the backend.
   */
  hear(witnesses: readonly OpenTunnel[], now: number): void {
    const early = this.#early
    if (!early) return
    const contradicts = ({ age, ending, request: { clientAddress } }: OpenTunnel) => {
      const isOther = early.client !== undefined && clientAddress !== early.client
      return !ending && age > early.longest && (isOther || now - age > early.since)
    }
    if (witnesses.some(contradicts)) this.#early = undefined
  }

  /** @returns the share of errors among its answers, when there are enough to speak of one */
  answered(isError: boolean, { min, window }: ErrorShare, now: number): number | undefined {
    if (this.#window !== window) this.#answers = undefined
    this.#window = window
    const answers = (this.#answers ??= new SlidingCounts(window, ['all', 'errors']))
    answers.add('all', now)
    if (isError) answers.add('errors', now)
    const all = answers.of('all', now)
    return all < min ? undefined : answers.of('errors', now) / all
  }

  /** Begins anew. */
  reset(): void {
    this.#failures.request = this.#failures.upgrade = 0
    this.#early = undefined
    this.#answers = undefined
  }
}
