import { type Clock, type Timer } from '../core/clock.ts'

interface Identified {
  readonly id: string
}

/**
 * Who belongs, as lists come in: who is new belongs at once, who is missing goes only after it was missing for so long.
 */
export class Roster<Member extends Identified> {
  readonly #clock: Clock
  readonly #onChange: (members: readonly Member[]) => void
  /** Milliseconds that a member may be missing. It counts for those that begin to be missing. */
  removeAfter: number
  #members: readonly Member[]
  readonly #missing = new Map<string, { readonly member: Member; readonly goesAt: number }>()
  #listed: readonly Member[] = []
  #timer: Timer | undefined

  /** @param members those that belong before there is a list */
  constructor(
    members: readonly Member[],
    removeAfter: number,
    clock: Clock,
    onChange: (members: readonly Member[]) => void,
  ) {
    this.#members = members
    this.removeAfter = removeAfter
    this.#clock = clock
    this.#onChange = onChange
  }

  get size(): number {
    return this.#members.length
  }

  take(listed: readonly Member[]): void {
    this.#listed = listed
    const ids = new Set(listed.map(({ id }) => id))
    const goesAt = this.#clock.now() + this.removeAfter
    for (const member of this.#members) {
      if (ids.has(member.id)) this.#missing.delete(member.id)
      else if (!this.#missing.has(member.id)) this.#missing.set(member.id, { member, goesAt })
    }
    this.#review()
  }

  /** Nobody goes any more. */
  stop(): void {
    this.#timer?.cancel()
  }

  #review(): void {
    this.#timer?.cancel()
    const now = this.#clock.now()
    let next = Infinity
    for (const [id, { goesAt }] of this.#missing) {
      if (goesAt <= now) this.#missing.delete(id)
      else next = Math.min(next, goesAt)
    }
    if (next < Infinity) this.#timer = this.#clock.schedule(next - now, () => this.#review())
    this.#members = [...this.#listed, ...[...this.#missing.values()].map(({ member }) => member)]
    this.#onChange(this.#members)
  }
}
