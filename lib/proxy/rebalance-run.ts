import { type Backend } from '../core/backend.ts'
import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type Pool } from '../pool/pool.ts'
import { REBALANCE_DEFAULTS, type RebalanceOptions } from '../pool/rebalance-options.ts'
import { roomIn, sharesOf } from '../pool/shares.ts'
import { inOrder } from './drain-order.ts'
import { type Pace } from './pace.ts'
import { type Tunnel } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

export interface RebalanceDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly tunnels: Tunnels
  /** Code of the Close frames. */
  readonly code: () => number
}

/** What lasts longer than a run. */
export interface RunParts extends RebalanceDependencies {
  readonly pace: Pace
  /** Tunnels that were closed and that their backend still counts. */
  readonly leaving: Set<Tunnel>
}

/** Tunnels that may be closed, those that are idle first; made anew after a while, because they come and go. */
interface Queue {
  readonly tunnels: readonly Tunnel[]
  readonly madeAt: number
  next: number
}
const STALE = 10_000
/** How often to look whether those that are away have come back. */
const WAIT = 1_000

/** Closes tunnels of one pool, at its pace, until every backend is at its share. */
export class RebalanceRun {
  readonly #pool: Pool
  readonly #parts: RunParts
  readonly #onEnd: (run: RebalanceRun) => void
  /** Backends that have been too far above their share, and are not down to it yet. */
  readonly #givers = new Set<Backend>()
  readonly #queues = new Map<Backend, Queue>()
  #tolerance: number
  /** Tunnels that there are too many of, at the last {@link #takeStock}. */
  #surplus = 0
  #left = 0
  #closed = 0
  #timer: Timer | undefined
  #ended = false

  constructor(pool: Pool, tolerance: number, parts: RunParts, onEnd: (run: RebalanceRun) => void) {
    this.#pool = pool
    this.#tolerance = tolerance
    this.#parts = parts
    this.#onEnd = onEnd
  }

  /** Tunnels it has closed. */
  get closed(): number {
    return this.#closed
  }

  /**
   * Tunnels it is still to close: however clients come and go, it will not be more in all than there were too many
   * at the beginning.
   */
  get left(): number {
    return this.#left
  }

  start(): void {
    this.#takeStock()
    this.#left = this.#surplus
    this.#goOn()
  }

  /** Goes down to the very shares, whatever it was to tolerate. */
  insist(): void {
    this.#tolerance = 0
    this.#takeStock()
    this.#left = Math.max(this.#left, this.#surplus)
  }

  /** What is still open lives on. */
  stop(): void {
    this.#ended = true
    this.#timer?.cancel()
    this.#onEnd(this)
    if (this.#closed > 0)
      this.#parts.events.emit('rebalance:done', { pool: this.#pool.name, closed: this.#closed })
  }

  #goOn(): void {
    if (this.#left <= 0) return this.stop()
    const { clock, pace } = this.#parts
    this.#takeStock()
    if (this.#surplus > 0) {
      this.#timer = clock.schedule(pace.next(this.#options.perMinute), () => this.#closeOne())
    } else if (this.#pool.steering.away > 0) {
      // They may be counted twice: who has come without being known for it is expected for some time still.
      this.#timer = clock.schedule(WAIT, () => this.#goOn())
    } else {
      this.stop()
    }
  }

  get #options(): RebalanceOptions {
    return this.#pool.spec.rebalance ?? REBALANCE_DEFAULTS
  }

  #closeOne(): void {
    this.#takeStock()
    if (this.#surplus === 0) return this.#goOn()
    const tunnel = this.#nextTunnel()
    if (!tunnel) return this.stop()
    const { events, code, leaving } = this.#parts
    const { name } = this.#pool
    if (this.#closed === 0) events.emit('rebalance:start', { pool: name, surplus: this.#left })
    // A listener may have ended it.
    if (this.#ended) return
    this.#pool.steering.expect(tunnel.backend)
    tunnel.close('rebalance', { code: code(), reason: 'rebalance' })
    leaving.add(tunnel)
    this.#closed++
    this.#left--
    this.#goOn()
  }

  /** Who has to give, as of now, and how many tunnels in all: those above the shares for which there is room below others. */
  #takeStock(): void {
    const open = this.#open()
    const { backends, steering } = this.#pool
    const { away } = steering
    const shares = sharesOf(backends.values(), away, open)
    let excess = 0
    for (const backend of this.#givers) if (!shares.has(backend)) this.#givers.delete(backend)
    for (const [backend, share] of shares) {
      const above = open(backend) - Math.floor(share)
      if (open(backend) > share * (1 + this.#tolerance)) this.#givers.add(backend)
      if (above <= 0) this.#givers.delete(backend)
      if (this.#givers.has(backend)) excess += above
    }
    this.#surplus = Math.max(0, Math.min(excess, roomIn(shares, open) - away))
  }

  /** Counts open tunnels without those that were closed. */
  #open(): (backend: Backend) => number {
    const { leaving, tunnels } = this.#parts
    const counts = new Map<Backend, number>()
    for (const tunnel of leaving) {
      const { id, backend } = tunnel
      if (tunnels.get(id)) counts.set(backend, (counts.get(backend) ?? 0) + 1)
      else leaving.delete(tunnel)
    }
    return (backend) => backend.tunnels - (counts.get(backend) ?? 0)
  }

  /** Of the fullest giver that has one to give. */
  #nextTunnel(): Tunnel | undefined {
    const open = this.#open()
    const fullness = (backend: Backend) => open(backend) / backend.weight
    for (const backend of [...this.#givers].sort((a, b) => fullness(b) - fullness(a))) {
      const tunnel = this.#nextOf(backend)
      if (tunnel) return tunnel
    }
    return undefined
  }

  #nextOf(backend: Backend): Tunnel | undefined {
    const { clock, random, tunnels } = this.#parts
    let queue = this.#queues.get(backend)
    if (!queue || clock.now() - queue.madeAt > STALE) {
      const eligible = tunnels.of(backend).filter((tunnel) => this.#mayClose(tunnel))
      queue = { tunnels: inOrder(eligible, 'idle-first', random), madeAt: clock.now(), next: 0 }
      this.#queues.set(backend, queue)
    }
    while (queue.next < queue.tunnels.length) {
      const tunnel = queue.tunnels[queue.next++]!
      if (this.#mayClose(tunnel) && tunnels.get(tunnel.id)) return tunnel
    }
    return undefined
  }

  #mayClose({ ending, request, age }: Tunnel): boolean {
    return !ending && !request.pinned && age >= this.#options.minAge
  }
}
