import { type Clock } from '../core/clock.ts'
import { Sweep } from './sweep.ts'
import { type TunnelTimes } from './tunnel-options.ts'
import { type Tunnels } from './tunnels.ts'

/** Rounds in the time that is looked for: how late a tunnel may be found idle. */
const IDLE_ROUNDS = 4
/** Rounds in the highest age, and how far apart they are at most: closes are not to come in bursts. */
const AGE_ROUNDS = 100
const AGE_PERIOD = 1_000

/** What looks after open tunnels: heartbeat, idleness and age, a timer for each and not for each tunnel. */
export class Sweeps {
  readonly #heartbeat: Sweep
  readonly #idle: Sweep
  readonly #age: Sweep
  #times!: TunnelTimes

  constructor(clock: Clock, tunnels: Tunnels, times: TunnelTimes) {
    this.#heartbeat = new Sweep(clock, tunnels, (tunnel) => tunnel.beat())
    this.#idle = new Sweep(clock, tunnels, (tunnel) => tunnel.checkIdle())
    this.#age = new Sweep(clock, tunnels, (tunnel) => tunnel.checkAge())
    this.times = times
  }

  get times(): TunnelTimes {
    return this.#times
  }

  /** For open tunnels too. */
  set times(times: TunnelTimes) {
    const { ping, idleTimeout, maxAge } = (this.#times = times)
    // The heartbeat comes twice in the time of silence after which a leg is pinged.
    this.#heartbeat.every = ping && ping / 2
    this.#idle.every = idleTimeout && idleTimeout / IDLE_ROUNDS
    this.#age.every = maxAge && Math.min(maxAge / AGE_ROUNDS, AGE_PERIOD)
  }

  /** They go on for as long as there are tunnels. */
  start(): void {
    this.#heartbeat.start()
    this.#idle.start()
    this.#age.start()
  }

  stop(): void {
    this.#heartbeat.stop()
    this.#idle.stop()
    this.#age.stop()
  }
}
