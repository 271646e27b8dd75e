import { type Clock, type Timer } from '../core/clock.ts'
import { type Tunnels } from './tunnels.ts'

/** Keeps asking silent legs whether they are still there: one sweep over all tunnels, no timer for each. */
export class Heartbeat {
  readonly #clock: Clock
  readonly #tunnels: Tunnels
  #timer: Timer | undefined
  /** Milliseconds of silence before a Ping; a reload changes it for open tunnels too. */
  period: number | false

  constructor(clock: Clock, tunnels: Tunnels, period: number | false) {
    this.#clock = clock
    this.#tunnels = tunnels
    this.period = period
  }

  /** Sweeps for as long as there are tunnels. */
  start(): void {
    // Without pings, from time to time a look whether that has changed.
    this.#timer ??= this.#clock.schedule(this.period === false ? 10_000 : this.period / 2, () =>
      this.#sweep(),
    )
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #sweep(): void {
    this.#timer = undefined
    if (this.period !== false) for (const tunnel of this.#tunnels.all()) tunnel.beat()
    if (this.#tunnels.size > 0) this.start()
  }
}
