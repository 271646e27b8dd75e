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

/** Milliseconds after a failure in which the next one belongs to the same run: what failed days ago has another cause. */
const RUN_LAPSES_AFTER = 300_000

/** Failures of one kind of work, one after the other. */
class Run {
  count = 0
  #latest = -Infinity

  add(now: number): void {
    if (now - this.#latest > RUN_LAPSES_AFTER) this.count = 0
    this.#latest = now
    this.count++
  }
}

/** WebSockets that a backend has broken off early, one after the other. */
interface EarlyCloses {
  count: number
  latest: number
  /** When the first of them was opened, by the clock. */
  readonly since: number
  /** How long the longest of them lived. */
  longest: number
  /** Whose they were; `undefined`: several clients'. */
  client: string | undefined
}

/** What traffic has told of one backend since it last did well: three runs of failures, each of its own kind. */
export class Outlier {
  readonly #runs = { request: new Run(), upgrade: new Run() }
  #early: EarlyCloses | undefined
  #answers: SlidingCounts<'all' | 'errors'> | undefined
  #window = 0
  #reason = ''

  /** The longest run. */
  get failures(): number {
    return Math.max(this.#runs.request.count, this.#runs.upgrade.count, this.earlyCloses)
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
    this.#runs[work].count = 0
  }

  failed(work: Work, now: number, reason: string): void {
    this.#reason = reason
    this.#runs[work].add(now)
  }

  brokeOff(client: string, age: number, now: number, reason: string): void {
    this.#reason = reason
    if (this.#early && now - this.#early.latest > RUN_LAPSES_AFTER) this.#early = undefined
    const early = (this.#early ??= { count: 0, latest: now, since: now - age, longest: 0, client })
    early.count++
    early.latest = now
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
    this.#runs.request.count = this.#runs.upgrade.count = 0
    this.#early = undefined
    this.#answers = undefined
  }
}
