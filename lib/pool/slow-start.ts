import { type Backend } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { isOut } from './is-out.ts'

/** How a backend that has just come gets its share. */
export interface SlowStartOptions {
  /** Milliseconds until it has all of its weight. */
  readonly over: number
  /** Part of its weight that it begins with, above 0. */
  readonly from: number
  /** New WebSockets a second that it takes at the end; before, as much of them as of its weight. */
  readonly maxHandshakesPerSecond: number
}

export const SLOW_START_DEFAULTS: SlowStartOptions = { over: 30_000, from: 0.1, maxHandshakesPerSecond: 100 }

/** The weights grow in so many steps: with each of them the candidates are worked out anew. */
const STEPS = 20

export interface SlowStartDependencies {
  readonly clock: Clock
  readonly backends: () => Iterable<Backend>
  /** Weights are others. */
  readonly onStep: () => void
}

/** Raises the weight of backends that have come, or come back, step by step. One timer for all that are on their way. */
export class SlowStart {
  readonly #deps: SlowStartDependencies
  #options: SlowStartOptions | undefined
  /** By the clock. */
  readonly #startedAt = new Map<Backend, number>()
  readonly #away = new WeakSet<Backend>()
  #timer: Timer | undefined

  constructor(deps: SlowStartDependencies) {
    this.#deps = deps
  }

  /** `undefined`: nobody starts slowly, and who was about to has all of its weight. */
  set options(options: SlowStartOptions | undefined) {
    this.#options = options
    if (options) this.#step()
    else this.stop()
  }

  /** A backend is new in a pool that others serve already. */
  begin(backend: Backend): void {
    if (!this.#options || !serves(backend)) return
    this.#startedAt.set(backend, this.#deps.clock.now())
    this.#step()
  }

  /** To be called when health, admin state or ejection of a backend may have changed; who comes back begins. */
  review(backend: Backend): void {
    if (!serves(backend)) {
      this.#away.add(backend)
      if (this.#end(backend) || this.#startedAt.size > 0) this.#step()
    } else if (this.#away.delete(backend)) this.begin(backend)
  }

  /** A backend has left the pool. */
  forget(backend: Backend): void {
    this.#end(backend)
  }

  /** Ends it for all, without a wait. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#startedAt.size === 0) return
    for (const backend of [...this.#startedAt.keys()]) this.#end(backend)
    this.#deps.onStep()
  }

  #end(backend: Backend): boolean {
    backend.ramp = 1
    backend.startRate = Infinity
    return this.#startedAt.delete(backend)
  }

  #step(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (!this.#options || this.#startedAt.size === 0) return
    const { over, from, maxHandshakesPerSecond } = this.#options
    const now = this.#deps.clock.now()
    for (const [backend, startedAt] of this.#startedAt) {
      const passed = (now - startedAt) / over
      if (passed < 1) backend.ramp = from + (1 - from) * passed
      else this.#end(backend)
    }
    // Where nobody else is there to take what they do not, holding them back would help nobody.
    const isHeld = this.#startedAt.size > 0 && this.#hasOthers()
    for (const backend of this.#startedAt.keys()) {
      const most = Math.min(maxHandshakesPerSecond, backend.settings.maxHandshakesPerSecond)
      backend.startRate = isHeld ? backend.ramp * most : Infinity
    }
    this.#deps.onStep()
    if (this.#startedAt.size > 0) this.#timer = this.#deps.clock.schedule(over / STEPS, () => this.#step())
  }

  #hasOthers(): boolean {
    for (const backend of this.#deps.backends())
      if (serves(backend) && backend.ramp === 1 && backend.weight > 0 && !backend.settings.backup) return true
    return false
  }
}

function serves(backend: Backend): boolean {
  return backend.adminState === 'active' && !isOut(backend)
}
