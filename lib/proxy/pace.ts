import { type Clock, type Random } from '../core/clock.ts'

const MINUTE = 60_000

/** So many a minute, evenly: each has a slot of its own and a random moment in it, so that there is no beat. */
export class Pace {
  readonly #clock: Clock
  readonly #random: Random
  #slotEnd = -Infinity

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock
    this.#random = random
  }

  /** Takes the next slot. @returns milliseconds to its moment */
  next(perMinute: number): number {
    const now = this.#clock.now()
    const slot = MINUTE / perMinute
    const start = Math.max(now, this.#slotEnd)
    this.#slotEnd = start + slot
    return start - now + this.#random() * slot
  }
}
