import { type Clock, STALL, type Timer } from '../core/clock.ts'
import { type Tunnel } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

/**
 * Visits all tunnels from time to time: one timer for all of them, not one for each. A round that comes after a stall
 * visits nobody.
 */
export class Sweep {
  readonly #clock: Clock
  readonly #tunnels: Tunnels
  readonly #visit: (tunnel: Tunnel) => void
  #started = false
  #timer: Timer | undefined
  #dueAt = 0
  #every: number | false = false

  constructor(clock: Clock, tunnels: Tunnels, visit: (tunnel: Tunnel) => void) {
    this.#clock = clock
    this.#tunnels = tunnels
    this.#visit = visit
  }

  /** Milliseconds between two rounds; `false` for no rounds at all. A round that is waited for comes at the new pace. */
  set every(every: number | false) {
    if (every === this.#every) return
    this.#every = every
    if (!this.#started) return
    this.stop()
    this.start()
  }

  /** Goes on for as long as there are tunnels. */
  start(): void {
    this.#started = true
    if (this.#every === false || this.#timer) return
    this.#dueAt = this.#clock.now() + this.#every
    this.#timer = this.#clock.schedule(this.#every, () => this.#round())
  }

  stop(): void {
    this.#started = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #round(): void {
    this.#timer = undefined
    const stalled = this.#clock.now() - this.#dueAt > STALL
    if (!stalled) for (const tunnel of this.#tunnels.all()) this.#visit(tunnel)
    if (this.#tunnels.size > 0) this.start()
    else this.#started = false
  }
}
