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
  #isDone = false
  readonly done: Promise<void>
  #cut!: () => void

  /** @param plan `deadline` 0 cuts at once */
  constructor(parts: ShutdownParts, { deadline, ...how }: DrainPlan) {
    this.#parts = parts
    const { context, listeners, pools, downWatch, rebalances } = parts
    const { clock, events, tunnels } = context
    context.state = 'closing'
    pools.stop()
    downWatch.stop()
    rebalances.stop()
    listeners.close()
    const cutting = new Promise<void>((resolve) => (this.#cut = resolve))
    this.#progress = new Progress({ target: '*', left: () => pools.load, deadline, clock, events })
    const timers = [
      closeAtPace(() => tunnels.all(), { cause: 'shutdown', ...how }, context),
      clock.schedule(deadline, this.#cut),
      this.#progress,
    ]
    if (deadline > 0 && pools.load > 0) this.#progress.start()
    this.done = Promise.race([this.#quiet(() => tunnels.size + pools.load), cutting]).then(async () => {
      for (const timer of timers) timer.cancel()
      await this.#destroy()
      this.#isDone = true
    })
  }

  /** `undefined` when everything has ended. */
  get progress(): DrainProgressEvent | undefined {
    return this.#isDone ? undefined : this.#progress.state
  }

  /** Does not wait any longer. */
  cut(): void {
    this.#cut()
  }

  /** Settles when nothing is open on our listeners and `rest` counts nothing either. */
  async #quiet(rest: () => number): Promise<void> {
    const { context, listeners } = this.#parts
    for (;;) {
      listeners.closeIdle()
      if (listeners.connections + rest() === 0) return
      await new Promise<void>((resolve) => context.clock.schedule(SWEEP, resolve, true))
    }
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
    // Leases of pick() are not ours to wait for.
    await this.#quiet(() => context.tunnels.size)
  }
}
