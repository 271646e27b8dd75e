import { type Clock, STALL, type Timer } from '../../core/clock.ts'

/** Milliseconds after which a connection that owes an answer and says nothing hangs. */
const HANG = 1_500

/** Notices that a connection is silent while it owes an answer. */
export class Watchdog {
  readonly #clock: Clock
  readonly #hangs: (silence: number) => void
  #heard = 0
  #deadline: Timer | undefined

  constructor(clock: Clock, hangs: (silence: number) => void) {
    this.#clock = clock
    this.#hangs = hangs
  }

  /** Whether an answer is waited for. */
  get awake(): boolean {
    return this.#deadline !== undefined
  }

  /** An answer is due. */
  wake(): void {
    this.heard()
    this.#deadline?.cancel()
    this.#watch(HANG)
  }

  /** A sign of life, though not the answer: one that is long in coming may keep others waiting. */
  heard(): void {
    this.#heard = this.#clock.now()
  }

  sleep(): void {
    this.#deadline?.cancel()
    this.#deadline = undefined
  }

  #watch(delay: number): void {
    const due = this.#clock.now() + delay
    this.#deadline = this.#clock.schedule(delay, () => {
      const now = this.#clock.now()
      const left = this.#heard + HANG - now
      // After a sleep of our own, the answer may lie unread.
      if (now - due > STALL) this.#watch(HANG)
      else if (left > 0) this.#watch(left)
      else this.#hangs(HANG)
    })
  }
}
