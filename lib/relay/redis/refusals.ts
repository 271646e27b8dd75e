import { type Refused } from '../session/failures.ts'

/** Answers that any write gets, so that any other shows whether it is over. */
const ANY_WRITE = new Set(['NOREPLICAS', 'OOM', 'MISCONF'])

/** What a master refuses. Told when it begins, becomes another, and is over. */
export class Refusals {
  readonly #tell: (trouble: Refused | undefined) => void
  #current: { readonly refused: Refused; readonly by: string } | undefined

  constructor(tell: (trouble: Refused | undefined) => void) {
    this.#tell = tell
  }

  /** @param by what was refused: a channel, or something else that is tried again */
  refused(refused: Refused, by: string): void {
    const known = this.#current?.refused.reason
    if (!this.#current || this.#current.by === by || ANY_WRITE.has(refused.reason))
      this.#current = { refused, by }
    if (this.#current.refused.reason !== known) this.#tell(this.#current.refused)
  }

  accepted(by: string): void {
    if (!this.#current) return
    if (this.#current.by !== by && !ANY_WRITE.has(this.#current.refused.reason)) return
    this.#current = undefined
    this.#tell(undefined)
  }
}
