import { type Cancellable } from '../core/cancellable.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { type DrainProgressEvent, type EventSink } from '../core/events.ts'

/** Reports in the time that a drain may take, and how far apart they are at least and at most. In milliseconds. */
const REPORTS = 10
const SHORTEST = 1_000
const LONGEST = 10_000

export interface ProgressOptions {
  /** What is emptied: a backend's name, or `*`. */
  readonly target: string
  /** What is still open. */
  readonly left: () => number
  /** Milliseconds from now on after which the rest is cut. */
  readonly deadline: number
  readonly clock: Clock
  readonly events: EventSink
}

/** Tells how far a drain has come. */
export class Progress implements Cancellable {
  readonly #options: ProgressOptions
  readonly #endsAt: number
  readonly #period: number
  #timer: Timer | undefined

  constructor(options: ProgressOptions) {
    const { clock, deadline } = options
    this.#options = options
    this.#endsAt = clock.now() + deadline
    this.#period = Math.min(Math.max(deadline / REPORTS, SHORTEST), LONGEST)
  }

  /** Reports now, and from time to time until it is cancelled. */
  start(): void {
    const { events, clock } = this.#options
    // First the timer: a listener may cancel it.
    this.#timer = clock.schedule(this.#period, () => this.start())
    if (events.wants('drain:progress')) events.emit('drain:progress', this.state)
  }

  /** As of now. */
  get state(): DrainProgressEvent {
    const { target, left, clock } = this.#options
    return { target, left: left(), remaining: Math.max(0, Math.round(this.#endsAt - clock.now())) }
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
