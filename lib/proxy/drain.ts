import { type Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type Member } from '../pool/pools.ts'
import { closeAtPace } from './close-at-pace.ts'
import { type CloseReason } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

/** How a backend is emptied. Times in milliseconds. */
export interface DrainPlan extends CloseReason {
  /** Close frames are spread over this time. */
  readonly over: number
  /** What is still open then is cut. */
  readonly deadline: number
}

export interface DrainDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly tunnels: Tunnels
}

/** For what has been cut to come to its end. */
const GRACE = 1_000

interface Drain {
  readonly done: Promise<void>
  /** Ends the drain; what is still open lives on. */
  cancel(): void
}

/** Empties leaving backends: tunnels are closed at a pace, requests finish, the rest is cut at the deadline. */
export class Drains {
  readonly #byBackend = new Map<Backend, Drain>()
  readonly #deps: DrainDependencies

  constructor(deps: DrainDependencies) {
    this.#deps = deps
  }

  /**
   * New work must go elsewhere already. A second drain of the same backend joins the first.
   * @returns settles when nothing is left on the backend, or the drain was cancelled
   */
  start(member: Member, plan: DrainPlan): Promise<void> {
    const { backend } = member
    const running = this.#byBackend.get(backend)
    if (running) return running.done
    let cancel!: () => void
    const done = new Promise<void>((resolve) => {
      cancel = this.#run(member, plan, resolve)
    })
    if (backend.load > 0) this.#byBackend.set(backend, { done, cancel })
    return done
  }

  /** @returns cancels the drain */
  #run({ backend, pool }: Member, { deadline, ...how }: DrainPlan, settle: () => void): () => void {
    const { clock, events, tunnels } = this.#deps
    const who = { backend: backend.id, pool: backend.pool }
    let cut = 0
    const timers = [
      closeAtPace(() => tunnels.of(backend), { cause: 'drain', ...how }, this.#deps),
      clock.schedule(deadline, () => {
        cut = pool.cut(backend)
        // What balancer.pick() has given away is not ours to end, nor to wait for.
        timers.push(clock.schedule(GRACE, () => stopWaiting(drained)))
      }),
    ]
    const finish = () => {
      for (const timer of timers) timer.cancel()
      this.#byBackend.delete(backend)
      settle()
    }
    const drained = () => {
      finish()
      events.emit('backend:drained', { ...who, cut })
    }
    events.emit('backend:draining', who)
    const cancelWait = pool.whenIdle(backend, drained)
    const stopWaiting = (then: () => void) => {
      cancelWait()
      then()
    }
    return () => stopWaiting(finish)
  }

  cancel(backend: Backend): void {
    this.#byBackend.get(backend)?.cancel()
  }

  cancelAll(): void {
    for (const drain of [...this.#byBackend.values()]) drain.cancel()
  }
}
