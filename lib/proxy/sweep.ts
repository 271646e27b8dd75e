import { type Clock, type Timer } from '../core/clock.ts'
import { type Tunnel } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

/** How often a sweep that is switched off looks whether it has been switched on. */
const ASLEEP = 10_000

/** Looks after all tunnels from time to time: one timer for all of them, not one for each. */
export class Sweep {
  readonly #clock: Clock
  readonly #tunnels: Tunnels
  readonly #visit: (tunnel: Tunnel) => void
  #timer: Timer | undefined
  /** Milliseconds between two rounds; a reload changes it for open tunnels too. */
  every: number | false

  constructor(clock: Clock, tunnels: Tunnels, every: number | false, visit: (tunnel: Tunnel) => void) {
    this.#clock = clock
    this.#tunnels = tunnels
    this.#visit = visit
    this.every = every
  }

  /** Goes on for as long as there are tunnels. */
  start(): void {
    this.#timer ??= this.#clock.schedule(this.every === false ? ASLEEP : this.every, () => this.#round())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #round(): void {
    this.#timer = undefined
    if (this.every !== false) for (const tunnel of this.#tunnels.all()) this.#visit(tunnel)
    if (this.#tunnels.size > 0) this.start()
  }
}
