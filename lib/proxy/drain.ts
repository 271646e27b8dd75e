import { type Backend, fullName } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type CloseCause, type DrainProgressEvent, type EventSink } from '../core/events.ts'
import { type Member } from '../pool/pools.ts'
import { closeAtPace } from './close-at-pace.ts'
import { type DrainOrder } from './drain-order.ts'
import { Progress } from './progress.ts'
import { type CloseReason } from './tunnel-options.ts'
import { type Tunnels } from './tunnels.ts'

/** How a backend is emptied. Times in milliseconds. */
export interface DrainPlan extends CloseReason {
  /** Close frames are spread over this time. */
  readonly over: number
  readonly order: DrainOrder
  /** What is still open then is cut. */
  readonly deadline: number
}

export interface DrainDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly tunnels: Tunnels
}

/** Empties leaving backends: tunnels are closed at a pace, requests finish, the rest is cut at the deadline. */
export class Drains {
  readonly #byBackend = new Map<Backend, Drain>()
  readonly #deps: DrainDependencies

  constructor(deps: DrainDependencies) {
    this.#deps = deps
  }

  /** Of each drain under way. */
  get progress(): readonly DrainProgressEvent[] {
    return [...this.#byBackend.values()].map(({ progress }) => progress)
  }

  /**
   * New work must go elsewhere already. A second drain of the same backend joins the first; nothing begins anew.
   * @param hurry whether the plan shortens a drain under way that would end later
   * @returns settles when nothing is left on the backend, or the drain was cancelled
   */
  start(member: Member, plan: DrainPlan, cause: CloseCause, hurry: boolean): Promise<void> {
    const { backend } = member
    const running = this.#byBackend.get(backend)
    if (running && hurry) running.hurry(plan)
    if (running) return running.done
    const drain = new Drain(member, plan, cause, this.#deps, () => this.#byBackend.delete(backend))
    this.#byBackend.set(backend, drain)
    drain.start()
    return drain.done
  }

  cancel(backend: Backend): void {
    this.#byBackend.get(backend)?.cancel()
  }

  cancelAll(): void {
    for (const drain of [...this.#byBackend.values()]) drain.cancel()
  }
}

/** For what has been cut to come to its end. */
const GRACE = 1_000

/** One backend on its way out. */
class Drain {
  readonly done: Promise<void>
  readonly #member: Member
  readonly #cause: CloseCause
  readonly #deps: DrainDependencies
  #plan: DrainPlan
  #progress: Progress
  #underWay: Cancellable[] = []
  #onDone!: () => void
  #ended = false

  constructor(
    member: Member,
    plan: DrainPlan,
    cause: CloseCause,
    deps: DrainDependencies,
    onDone: () => void,
  ) {
    this.#member = member
    this.#plan = plan
    this.#cause = cause
    this.#deps = deps
    this.#progress = this.#measure()
    this.done = new Promise((resolve) => {
      this.#onDone = () => {
        onDone()
        resolve()
      }
    })
  }

  get progress(): DrainProgressEvent {
    return this.#progress.state
  }

  start(): void {
    this.#deps.events.emit('backend:draining', this.#who)
    this.#run()
  }

  /** Whoever is in more of a hurry says when it ends, and how what is left is closed until then. */
  hurry(plan: DrainPlan): void {
    if (this.#ended || plan.deadline >= this.progress.remaining) return
    this.#stop()
    this.#plan = plan
    this.#progress = this.#measure()
    this.#run()
  }

  #measure(): Progress {
    const { backend } = this.#member
    const { clock, events } = this.#deps
    const { deadline } = this.#plan
    return new Progress({ target: fullName(backend), left: () => backend.load, deadline, clock, events })
  }

  #run(): void {
    const { backend, pool } = this.#member
    const { clock, tunnels } = this.#deps
    const { deadline, ...how } = this.#plan
    const open = () => tunnels.of(backend).filter(({ ending }) => !ending)
    this.#underWay = [
      closeAtPace(open(), { ...how, cause: this.#cause, latecomers: open }, this.#deps),
      clock.schedule(deadline, () => this.#cutTheRest()),
      this.#progress,
      pool.leases.whenIdle(backend, () => this.#drained(0)),
    ]
    if (this.#ended) this.#stop()
    else this.#progress.start()
  }

  /** What is still open lives on. */
  cancel(): void {
    this.#ended = true
    this.#stop()
    this.#onDone()
  }

  #stop(): void {
    for (const one of this.#underWay) one.cancel()
  }

  get #who() {
    const { id, pool } = this.#member.backend
    return { backend: id, pool }
  }

  #drained(cut: number): void {
    this.cancel()
    this.#deps.events.emit('backend:drained', { ...this.#who, cut })
  }

  #cutTheRest(): void {
    const { backend, pool } = this.#member
    // The wait begins anew, now that something is cut.
    this.#stop()
    let cut = 0
    const drained = () => this.#drained(cut)
    // What balancer.pick() has given away is not ours to end, nor to wait for.
    this.#underWay.push(this.#deps.clock.schedule(GRACE, drained))
    cut = pool.leases.cut(backend, this.#cause)
    this.#underWay.push(pool.leases.whenIdle(backend, drained))
  }
}
