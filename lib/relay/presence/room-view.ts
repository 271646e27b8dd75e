import { type Clock } from '../../core/clock.ts'
import { type Member } from '../session/registry.ts'

/** What is told of an entry: the whole of it, or that it has ended. */
export type Notice = { readonly entered: Member } | { readonly left: Pick<Member, 'clientId' | 'at'> }

/** Milliseconds for which it is remembered that an entry has ended: as long as news of it may still come. */
const REMEMBERED = 120_000

/**
 * Who is in a room, by what was told of it. News comes from several nodes, so in any order and any number of times; each
 * entry has its place in time (`at`), and the latest counts.
 */
export class RoomView {
  readonly #clock: Clock
  readonly #present = new Map<string, Member>()
  /** Clients that have left, in that order. */
  readonly #gone = new Map<string, { readonly at: string; readonly since: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get members(): Iterable<Member> {
    return this.#present.values()
  }

  /** @returns whether the client was not in the room */
  entered(member: Member): boolean {
    const { clientId, at } = member
    const known = this.#present.get(clientId)
    if (at <= (known?.at ?? this.#gone.get(clientId)?.at ?? '')) return false
    this.#gone.delete(clientId)
    this.#present.set(clientId, member)
    return known === undefined
  }

  /** @returns who has left the room by that */
  left(clientId: string, at: string): Member | undefined {
    const known = this.#present.get(clientId)
    if (known && known.at > at) return undefined
    this.#present.delete(clientId)
    this.#forget()
    const last = this.#gone.get(clientId)?.at ?? ''
    this.#gone.delete(clientId)
    this.#gone.set(clientId, { at: at > last ? at : last, since: this.#clock.now() })
    return known
  }

  #forget(): void {
    const now = this.#clock.now()
    for (const [clientId, { since }] of this.#gone) {
      if (now - since <= REMEMBERED) return
      this.#gone.delete(clientId)
    }
  }
}
