import { type Backend } from '../core/backend.ts'
import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type EjectionOptions } from './ejection-options.ts'
import { Penalty } from './penalty.ts'

export interface EjectionsDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  /** The pool as it is now. */
  readonly members: () => Iterable<Backend>
  /** Called whenever a backend has been ejected or readmitted, before anybody is told. */
  readonly onChange: (backend: Backend) => void
}

/** How much shorter a time out may be: backends that were ejected together do not all come back at once. */
const JITTER = 0.1

/** The backends of a pool that are out for a while: never too many, never the last one, and longer each time. */
export class Ejections {
  readonly #pool: string
  readonly #deps: EjectionsDependencies
  readonly #penalties = new Map<Backend, Penalty>()
  readonly #timers = new Map<Backend, Timer>()

  constructor(pool: string, deps: EjectionsDependencies) {
    this.#pool = pool
    this.#deps = deps
  }

  /** @param reason what is said of it; nothing happens where the pool cannot do without the backend */
  eject(backend: Backend, reason: string, options: EjectionOptions): void {
    if (!this.#canSpare(backend, options)) return
    const { clock, random, events, onChange } = this.#deps
    let penalty = this.#penalties.get(backend)
    if (!penalty) this.#penalties.set(backend, (penalty = new Penalty()))
    const time = penalty.next(options, clock.now()) * (1 - JITTER * random())
    const until = clock.wallTime() + time
    backend.ejectedUntil = until
    this.#timers.set(
      backend,
      clock.schedule(time, () => this.readmit(backend)),
    )
    events.after(() => {
      events.emit('backend:ejected', { backend: backend.id, pool: this.#pool, reason, until })
      onChange(backend)
    })
  }

  readmit(backend: Backend): void {
    if (backend.ejectedUntil === undefined) return
    const { clock, events, onChange } = this.#deps
    this.#timers.get(backend)?.cancel()
    this.#timers.delete(backend)
    this.#penalties.get(backend)!.end(clock.now())
    backend.ejectedUntil = undefined
    events.after(() => {
      events.emit('backend:readmitted', { backend: backend.id, pool: this.#pool })
      onChange(backend)
    })
  }

  readmitAll(): void {
    for (const backend of [...this.#timers.keys()]) this.readmit(backend)
  }

  /** It has left the pool. */
  forget(backend: Backend): void {
    this.#timers.get(backend)?.cancel()
    this.#timers.delete(backend)
    this.#penalties.delete(backend)
    backend.ejectedUntil = undefined
  }

  /** Cancels every timer. */
  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #canSpare(backend: Backend, { maxShare }: EjectionOptions): boolean {
    const active = [...this.#deps.members()].filter(({ adminState }) => adminState === 'active')
    const ejected = active.filter(({ ejectedUntil }) => ejectedUntil !== undefined)
    const isUsable = (other: Backend) =>
      other.health === 'up' && other.ejectedUntil === undefined && other.weight > 0
    const hasOther = active.some((other) => other !== backend && isUsable(other))
    // 0.29 * 100 is not quite 29.
    return hasOther && ejected.length + 1 <= active.length * maxShare + 1e-6
  }
}
