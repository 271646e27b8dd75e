import { type Backend, type Health } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { Damping } from './damping.ts'

export interface DebounceOptions {
  readonly debounce: number
  readonly fall: number
  readonly rise: number
}

export interface Transition {
  readonly from: Health
  readonly to: Health
  /** The latest failure. */
  readonly reason: string
  /** Milliseconds since it was declared down. */
  readonly downFor: number
}

/**
 * The debounced health of one backend:
 *
 *     up ──failure──▶ suspect ──debounce passed, `fall` failures──▶ down ──`rise` successes──▶ up
 *      ◀───success────┘
 *
 * A burst of failures starts one timer and announces one `down`. Whoever has come back from an outage a short while ago
 * must also be well for some time: see {@link Damping}. Only a failed probe makes an outage: of thousands of requests some
 * fail, and what traffic has to say of a backend whose probes are well is for ejection to judge.
 */
export class HealthState {
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #onTransition: (transition: Transition) => void
  readonly #damping = new Damping()
  options: DebounceOptions
  #timer: Timer | undefined
  /** The debounce has passed, and still there were too few failures in a row. */
  #isOverdue = false
  #failures = 0
  #successes = 0
  /** Of the first success since the last failure. */
  #wellSince: number | undefined
  /** Milliseconds that it must be well before it is up again; `undefined`: no probe has failed since it was up. */
  #hold: number | undefined
  #downAt: number

  constructor(
    backend: Backend,
    options: DebounceOptions,
    clock: Clock,
    onTransition: (transition: Transition) => void,
  ) {
    this.#backend = backend
    this.options = options
    this.#clock = clock
    this.#onTransition = onTransition
    this.#downAt = clock.now()
    // A backend that was suspect when its loop stopped goes on where it was.
    if (backend.health === 'suspect') this.#debounce()
  }

  /** It is well, and must be so for that many milliseconds more. */
  get left(): number | undefined {
    if (this.#backend.health === 'up' || this.#wellSince === undefined) return undefined
    const left = this.#wellSince + (this.#hold ?? 0) - this.#clock.now()
    return left > 0 ? left : undefined
  }

  /** A probe has failed. */
  failed(reason: string): void {
    this.#hold ??= this.#damping.hold(this.#clock.now())
    this.#successes = 0
    this.#wellSince = undefined
    this.#failures++
    this.#doubt(this.#hold > 0 ? `${reason} (flapping: must be well for ${this.#hold / 1_000} s)` : reason)
  }

  /**
   * Traffic has failed. Where the latest probe says that the backend is well it is for the next one to say otherwise.
   * @param isSame one that says no more than another before it, and is not counted
   */
  reported(reason: string, isSame: boolean): void {
    if (this.#wellSince !== undefined) return
    if (!isSame) this.#failures++
    this.#doubt(reason)
  }

  succeeded(): void {
    const { health } = this.#backend
    this.#failures = 0
    if (health === 'up') return
    this.#successes++
    this.#wellSince ??= this.#clock.now()
    if (this.left !== undefined) return
    if (health === 'suspect' || this.#successes >= this.options.rise) this.#return()
  }

  /** It could not be asked: a debounce under way begins again, for nobody goes down on what nobody has seen. */
  unknown(): void {
    if (!this.#timer) return
    this.stop()
    this.#debounce()
  }

  /** Whatever it did before, its next return needs no time. */
  forgive(): void {
    this.#damping.forgive()
    if (this.#hold !== undefined) this.#hold = 0
  }

  /** Cancels a debounce under way. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #doubt(reason: string): void {
    this.#backend.trouble = reason
    if (this.#backend.health === 'up') {
      this.#become('suspect')
      this.#debounce()
    } else if (this.#isOverdue) {
      this.#fall()
    }
  }

  #debounce(): void {
    this.#isOverdue = false
    this.#timer = this.#clock.schedule(this.options.debounce, () => {
      this.#timer = undefined
      this.#isOverdue = true
      // One that is being watched for being well has a chance.
      if (this.#wellSince === undefined) this.#fall()
    })
  }

  #fall(): void {
    if (this.#backend.health !== 'suspect' || this.#failures < this.options.fall) return
    this.#downAt = this.#clock.now()
    this.#become('down')
  }

  #return(): void {
    this.stop()
    this.#successes = 0
    this.#wellSince = undefined
    if (this.#hold !== undefined) this.#damping.returned(this.#clock.now())
    this.#hold = undefined
    this.#become('up')
  }

  #become(to: Health): void {
    const { health: from, trouble } = this.#backend
    this.#backend.health = to
    this.#backend.healthSince = this.#clock.wallTime()
    this.#isOverdue = false
    this.#onTransition({ from, to, reason: trouble, downFor: this.#clock.now() - this.#downAt })
  }
}
