import { type Clock } from './clock.ts'

/** Milliseconds in which all but a third of what was seen before is forgotten, as in Finagle and tower. */
const DECAY = 10_000
/** Milliseconds after which a figure says nothing any more. */
const LIFETIME = 60_000

/**
 * How long something takes: an average that jumps to what is worse and moves slowly to what is better, by the time that
 * has passed and not by the number of samples. What is not renewed is trusted less and less, and is gone after a minute.
 */
export class PeakEwma {
  readonly #clock: Pick<Clock, 'now'>
  #average = 0
  #observedAt = -Infinity

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** @param sample in milliseconds */
  observe(sample: number): void {
    const now = this.#clock.now()
    const elapsed = Math.max(0, now - this.#observedAt)
    if (elapsed >= LIFETIME || sample > this.#average) this.#average = sample
    else this.#average = sample + (this.#average - sample) * Math.exp(-elapsed / DECAY)
    this.#observedAt = now
  }

  /** In milliseconds; `undefined` when nothing was seen within the last minute. */
  get value(): number | undefined {
    return this.trust > 0 ? this.#average : undefined
  }

  /** From 1, seen right now, down to 0, which is what nobody knows anything of. */
  get trust(): number {
    const age = this.#clock.now() - this.#observedAt
    return age < LIFETIME ? 1 - Math.max(0, age) / LIFETIME : 0
  }
}
