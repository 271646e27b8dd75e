import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type Member } from '../pool/pools.ts'
import { type Tunnels } from './tunnels.ts'

interface Drain {
  readonly done: Promise<void>
  /** Ends the drain; what is still open lives on. */
  cancel(): void
}

/** Waits for the work of a leaving backend to end, and cuts what is left at the deadline. */
export class Drains {
  readonly #byBackend = new Map<Backend, Drain>()
  readonly #clock: Clock
  readonly #events: EventSink
  readonly #tunnels: Tunnels

  constructor(clock: Clock, events: EventSink, tunnels: Tunnels) {
    this.#clock = clock
    this.#events = events
    this.#tunnels = tunnels
  }

  /**
   * New work must go elsewhere already. A second drain of the same backend joins the first.
   * @param deadline milliseconds
   * @returns settles when nothing is left on the backend, or the drain was cancelled
   */
  start({ backend, pool }: Member, deadline: number): Promise<void> {
    const running = this.#byBackend.get(backend)
    if (running) return running.done
    const who = { backend: backend.id, pool: backend.pool }
    const { promise, resolve } = withResolvers()
    let cut = 0
    const timer = this.#clock.schedule(deadline, () => {
      const open = this.#tunnels.of(backend)
      cut = open.length
      for (const tunnel of open) tunnel.destroy('drain')
    })
    const finish = () => {
      timer.cancel()
      this.#byBackend.delete(backend)
      resolve()
    }
    this.#events.emit('backend:draining', who)
    const stopWaiting = pool.whenIdle(backend, () => {
      finish()
      this.#events.emit('backend:drained', { ...who, cut })
    })
    const cancel = () => {
      stopWaiting()
      finish()
    }
    if (backend.load > 0) this.#byBackend.set(backend, { done: promise, cancel })
    return promise
  }

  cancel(backend: Backend): void {
    this.#byBackend.get(backend)?.cancel()
  }

  cancelAll(): void {
    for (const drain of [...this.#byBackend.values()]) drain.cancel()
  }
}

/** `Promise.withResolvers` is not in Node 20. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
