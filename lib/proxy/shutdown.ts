import { type Cancellable } from '../core/cancellable.ts'
import { type DrainProgressEvent } from '../core/events.ts'
import { type Listeners } from '../listener/listeners.ts'
import { type Pools } from '../pool/pools.ts'
import { closeAtPace } from './close-at-pace.ts'
import { type ProxyContext } from './context.ts'
import { type DownWatch } from './down-watch.ts'
import { type DrainPlan, type Drains } from './drain.ts'
import { Progress } from './progress.ts'
import { type Rebalances } from './rebalance.ts'

export interface ShutdownParts {
  readonly context: ProxyContext
  readonly listeners: Listeners
  readonly pools: Pools
  readonly drains: Drains
  readonly downWatch: DownWatch
  readonly rebalances: Rebalances
}

/** How often to look whether everything has ended, and to close connections that have become idle. */
const SWEEP = 25

/** The end of a balancer: accept nothing, close tunnels at a pace, let requests finish, cut the rest. */
export class Shutdown {
  readonly #parts: ShutdownParts
  readonly #progress: Progress
  readonly #underWay: readonly Cancellable[]
  readonly done: Promise<void>
  #isCut = false
  #isDone = false
  #wake: (() => void) | undefined

  /** @param plan `deadline` 0 cuts at once */
  constructor(parts: ShutdownParts, { deadline, ...how }: DrainPlan) {
    this.#parts = parts
    const { context, listeners, pools, downWatch, rebalances } = parts
    const { clock, events, tunnels } = context
    context.state = 'closing'
    context.waits.endAll()
    pools.stop()
    downWatch.stop()
    rebalances.stop()
    listeners.close()
    this.#progress = new Progress({ target: '*', left: () => pools.load, deadline, clock, events })
    const open = () => tunnels.all()
    this.#underWay = [
      closeAtPace(open(), { cause: 'shutdown', ...how, latecomers: open }, context),
      clock.schedule(deadline, () => this.cut()),
      this.#progress,
    ]
    if (deadline > 0 && pools.load > 0) this.#progress.start()
    this.done = this.#end()
  }

  /** `undefined` when everything has ended. */
  get progress(): DrainProgressEvent | undefined {
    return this.#isDone ? undefined : this.#progress.state
  }

  /** Does not wait any longer. */
  cut(): void {
    this.#isCut = true
    this.#wake?.()
  }

  async #end(): Promise<void> {
    const { context, listeners, pools } = this.#parts
    const { tunnels } = context
    while (!this.#isCut && listeners.connections + tunnels.size + pools.load > 0) await this.#nap()
    for (const one of this.#underWay) one.cancel()
    await this.#destroy()
    // Leases of pick() are not ours to wait for.
    while (listeners.connections + tunnels.size > 0) await this.#nap()
    this.#isDone = true
  }

  /** Until the next look, or the cut. */
  #nap(): Promise<void> {
    const { context, listeners } = this.#parts
    listeners.closeIdle()
    return new Promise((resolve) => {
      const timer = context.clock.schedule(SWEEP, resolve, true)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #destroy(): Promise<void> {
    const { context, listeners, drains } = this.#parts
    context.state = 'closed'
    drains.cancelAll()
    for (const client of context.pending) client.socket.destroy()
    for (const tunnel of context.tunnels.all()) tunnel.destroy('shutdown')
    listeners.destroyConnections()
    context.sweeps.stop()
    await context.httpPools.destroy()
  }
}
