import { type Backend, type Health } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'

export interface DebounceOptions {
  readonly debounce: number
  readonly rise: number
}

/** Told of every transition; `reason` is the latest failure. */
export type OnTransition = (from: Health, to: Health, reason: string) => void

/**
 * The debounced health of one backend:
 *
 *     up ──failure──▶ suspect ──debounce passed──▶ down ──rise successes──▶ up
 *      ◀───success────┘
 *
 * A burst of failures starts one timer and announces one `down`.
 */
export class HealthState {
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #onTransition: OnTransition
  options: DebounceOptions
  #timer: Timer | undefined
  #successes = 0

  constructor(backend: Backend, options: DebounceOptions, clock: Clock, onTransition: OnTransition) {
    this.#backend = backend
    this.options = options
    this.#clock = clock
    this.#onTransition = onTransition
    // A backend that was suspect when its loop stopped goes on where it was.
    if (backend.health === 'suspect') this.#debounce()
  }

  failed(reason: string): void {
    this.#backend.trouble = reason
    this.#successes = 0
    if (this.#backend.health !== 'up') return
    this.#become('suspect')
    this.#debounce()
  }

  succeeded(): void {
    if (this.#backend.health === 'suspect') {
      this.stop()
      this.#become('up')
    } else if (this.#backend.health === 'down' && ++this.#successes >= this.options.rise) {
      this.#successes = 0
      this.#become('up')
    }
  }

  /** It could not be asked: a debounce under way begins again, for nobody goes down on what nobody has seen. */
  unknown(): void {
    if (!this.#timer) return
    this.stop()
    this.#debounce()
  }

  /** Cancels a debounce under way. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #debounce(): void {
    this.#timer = this.#clock.schedule(this.options.debounce, () => {
      this.#timer = undefined
      this.#become('down')
    })
  }

  #become(health: Health): void {
    const before = this.#backend.health
    this.#backend.health = health
    this.#onTransition(before, health, this.#backend.trouble)
  }
}
