import { Answers } from './answers.ts'
import { EarlyCloses, type OpenTunnel } from './early-closes.ts'
import { Run } from './run.ts'

/** What a backend is asked to do. A good answer to one kind says nothing of the other. */
export type Work = 'request' | 'upgrade'

/** What traffic has told of one backend since it last did well: three runs of failures, each of its own kind. */
export class Outlier {
  readonly #runs = { request: new Run(), upgrade: new Run() }
  readonly early = new EarlyCloses()
  #answers: Answers | undefined

  /** It has done as it was asked. */
  succeeded(work: Work): void {
    this.#runs[work].clear()
  }

  /** @param network of the client that may have caused it; `undefined`: no client can */
  failed(work: Work, now: number, reason: string, network: string | undefined): void {
    this.#runs[work].add(now, reason, network)
  }

  /** @returns why it is to be ejected, if it is */
  verdict(failures: number, witnesses: () => readonly OpenTunnel[], now: number): string | undefined {
    const { request, upgrade } = this.#runs
    for (const run of [request, upgrade]) if (run.convicts(failures)) return run.reason
    return this.early.convict(failures, witnesses, now) ? this.early.run.reason : undefined
  }

  /** @param window milliseconds; with another one, they begin anew */
  answers(window: number): Answers {
    if (this.#answers?.window !== window) this.#answers = new Answers(window)
    return this.#answers
  }

  /** Begins anew. */
  reset(): void {
    for (const run of [this.#runs.request, this.#runs.upgrade, this.early.run]) run.clear()
    this.#answers = undefined
  }
}
