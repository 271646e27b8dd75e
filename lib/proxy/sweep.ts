import { type Clock, STALL, type Timer } from '../core/clock.ts'
import { type Tunnel } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

/** Tunnels in a slice: a few milliseconds for each of them to be pinged. */
const SLICE = 250
/** Milliseconds from one slice to the next, at least: then slices grow. */
const GAP = 10

/**
 * Visits all tunnels from time to time: one timer for all of them, not one for each. A round is spread over its period,
 * slice by slice, so that the traffic does not wait for it. A slice that comes after a stall is put off.
 */
export class Sweep {
  readonly #clock: Clock
  readonly #tunnels: Tunnels
  readonly #visit: (tunnel: Tunnel) => void
  #started = false
  #timer: Timer | undefined
  #dueAt = 0
  #every: number | false = false

  // The round under way. Those that join meanwhile come after those that were there.
  #round: Iterator<Tunnel, undefined> | undefined
  #slices = 1
  #slicesLeft = 0
  #sliceSize = 0

  constructor(clock: Clock, tunnels: Tunnels, visit: (tunnel: Tunnel) => void) {
    this.#clock = clock
    this.#tunnels = tunnels
    this.#visit = visit
  }

  /**
   * Milliseconds between two rounds; `false` for no rounds at all. What is waited for comes at the new pace, but no later
   * than it would have come.
   */
  set every(every: number | false) {
    if (every === this.#every) return
    this.#every = every
    if (!this.#started) return
    if (every === false) {
      this.#drop()
    } else {
      const soonest = this.#clock.now() + every / this.#slices
      const dueAt = this.#timer ? Math.min(this.#dueAt, soonest) : soonest
      this.#timer?.cancel()
      this.#await(dueAt)
    }
  }

  /** Goes on for as long as there are tunnels. */
  start(): void {
    if (this.#started) return
    this.#started = true
    if (this.#every !== false) this.#await(this.#clock.now() + this.#every)
  }

  stop(): void {
    this.#started = false
    this.#drop()
  }

  #drop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#round = undefined
    this.#slices = 1
  }

  #await(dueAt: number): void {
    this.#dueAt = dueAt
    this.#timer = this.#clock.schedule(Math.max(0, dueAt - this.#clock.now()), () => this.#slice())
  }

  #slice(): void {
    const every = this.#every as number
    const now = this.#clock.now()
    const stalled = now - this.#dueAt > STALL
    const round = (this.#round ??= this.#begin(every))
    this.#await((stalled ? now : this.#dueAt) + every / this.#slices)
    if (!stalled) this.#visitSlice(round)
    if (this.#tunnels.size === 0) this.stop()
  }

  #begin(every: number): Iterator<Tunnel, undefined> {
    const { size } = this.#tunnels
    this.#slices = Math.max(1, Math.min(Math.ceil(size / SLICE), Math.floor(every / GAP)))
    this.#slicesLeft = this.#slices
    this.#sliceSize = Math.ceil(size / this.#slices)
    return this.#tunnels[Symbol.iterator]()
  }

  #visitSlice(round: Iterator<Tunnel, undefined>): void {
    // Nobody keeps an iterator that is through: it may hold on to tunnels that have left.
    if (--this.#slicesLeft === 0) this.#round = undefined
    for (let left = this.#sliceSize; left > 0; left--) {
      const tunnel = round.next().value
      if (!tunnel) return
      this.#visit(tunnel)
    }
  }
}
