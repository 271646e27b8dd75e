import { type Clock } from '../../core/clock.ts'
import { type Message } from '../session/message.ts'
import { type Position } from '../session/position.ts'

/** Milliseconds after which nobody repeats any more what a master has taken along. */
const SETTLING = 60_000

/**
 * Names the places of a namespace's log. A client that has a token has got, of what was for it, everything up to that place
 * and nothing else: any node can go on from there.
 *
 * For a moment that is not so: when a master died and took along what this node had delivered already, that comes a second
 * time, for nodes that had not got it. Until then a token says nothing, and who comes back with it is not recovered.
 */
export class Tokens {
  readonly #clock: Clock
  #epoch: string | undefined
  #offset = 0
  #settled = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param position of the subscription that has delivered the message. @returns '' for one that says nothing */
  next({ epoch, offset }: Message, position: () => Position | undefined): string {
    if (epoch !== this.#epoch) this.#enter(epoch, position)
    this.#offset = offset
    return this.#clock.now() < this.#settled ? '' : `${epoch}/${offset}`
  }

  #enter(epoch: string, position: () => Position | undefined): void {
    if (this.#epoch !== undefined) {
      const survived = position()?.trail?.find((mark) => mark.epoch === this.#epoch)?.offset ?? 0
      if (survived < this.#offset) this.#settled = this.#clock.now() + SETTLING
    }
    this.#epoch = epoch
  }
}
