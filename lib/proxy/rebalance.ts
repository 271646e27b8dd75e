import { type Timer } from '../core/clock.ts'
import { type Pool } from '../pool/pool.ts'
import { type RebalanceResult } from './controls.ts'
import { Pace } from './pace.ts'
import { type RebalanceDependencies, RebalanceRun, type RunParts } from './rebalance-run.ts'

/** How often to look whether a backend is above its share. In milliseconds. */
const LOOK = 5_000
/**
 * Whether a run has helped shows when its clients are back. If it has not, because they stay away or cannot be moved,
 * the next one waits twice as long, and so on.
 */
const FIRST_REST = 30_000
const LONGEST_REST = 3_600_000

/**
 * Evens out the tunnels of one pool. It has one timer at most: for the next look, or for the next close.
 *
 *     asleep ──watch()──▶ looking ──a backend is above its share──▶ running
 *        ◀──no tunnels────┘    ◀──every backend is at its share────────┘
 */
class Rebalance {
  readonly #pool: Pool
  readonly #parts: RunParts
  #timer: Timer | undefined
  #rest = LOOK
  #stopped = false
  #running:
    { readonly run: RebalanceRun; readonly done: Promise<RebalanceResult>; manual: boolean } | undefined

  constructor(pool: Pool, deps: RebalanceDependencies) {
    this.#pool = pool
    this.#parts = { ...deps, pace: new Pace(deps), leaving: new Set() }
  }

  watch(): void {
    if (this.#timer || this.#running || this.#stopped || !this.#pool.spec.rebalance) return
    this.#timer = this.#parts.clock.schedule(this.#rest, () => this.#look())
  }

  /** Begins a run, or joins the one under way. */
  run(): Promise<RebalanceResult> {
    if (!this.#running) return this.#begin(0, true)
    if (!this.#running.manual) this.#running.run.insist()
    this.#running.manual = true
    return this.#running.done
  }

  /** The options have changed. */
  reconfigure(): void {
    this.#rest = LOOK
    if (!this.#pool.spec.rebalance && this.#running?.manual === false) this.#running.run.stop()
    if (this.#running) return
    this.#cancelTimer()
    this.watch()
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTimer()
    this.#running?.run.stop()
  }

  #cancelTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #look(): void {
    this.#timer = undefined
    const { backends, spec } = this.#pool
    const isEmpty = [...backends.values()].every(({ tunnels }) => tunnels === 0)
    if (!spec.rebalance || isEmpty) return
    void this.#begin(spec.rebalance.tolerance, false)
  }

  #begin(tolerance: number, manual: boolean): Promise<RebalanceResult> {
    this.#cancelTimer()
    let finish!: (result: RebalanceResult) => void
    const done = new Promise<RebalanceResult>((resolve) => (finish = resolve))
    const run = new RebalanceRun(this.#pool, tolerance, this.#parts, () => {
      this.#running = undefined
      const complete = run.closed > 0 && run.left <= 0
      this.#rest = complete ? Math.min(Math.max(FIRST_REST, this.#rest * 2), LONGEST_REST) : LOOK
      finish({ closed: run.closed })
      this.watch()
    })
    this.#running = { run, done, manual }
    run.start()
    return done
  }
}

/** Moves tunnels from backends that have too many to those that have too few, e.g. because they are new. */
export class Rebalances {
  readonly #deps: RebalanceDependencies
  readonly #byPool = new Map<Pool, Rebalance>()
  #stopped = false

  constructor(deps: RebalanceDependencies) {
    this.#deps = deps
  }

  /** A pool that is to be rebalanced is looked at from time to time, as long as it has tunnels. */
  watch(pool: Pool): void {
    if (pool.spec.rebalance && !this.#stopped) this.#of(pool).watch()
  }

  /** One run now, down to the very shares; a run under way is joined. */
  run(pool: Pool): Promise<RebalanceResult> {
    return this.#of(pool).run()
  }

  /** After a reload. */
  reconfigure(pools: readonly Pool[]): void {
    for (const [pool, rebalance] of this.#byPool) {
      if (pools.includes(pool)) continue
      rebalance.stop()
      this.#byPool.delete(pool)
    }
    for (const pool of pools) {
      this.#byPool.get(pool)?.reconfigure()
      this.watch(pool)
    }
  }

  stop(): void {
    this.#stopped = true
    for (const rebalance of this.#byPool.values()) rebalance.stop()
  }

  #of(pool: Pool): Rebalance {
    let rebalance = this.#byPool.get(pool)
    if (!rebalance) this.#byPool.set(pool, (rebalance = new Rebalance(pool, this.#deps)))
    return rebalance
  }
}
