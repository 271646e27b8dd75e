import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type Trust } from '../listener/trust-proxy.ts'
import { type HttpPools } from '../upstream/http-pools.ts'
import { type Admission } from './admission.ts'
import { type Controls } from './controls.ts'
import { type RequestHooks } from './hooks.ts'
import { type PendingClient } from './pending-client.ts'
import { type Rebalances } from './rebalance.ts'
import { type Router } from './router.ts'
import { type Sweeps } from './sweeps.ts'
import { type Tunnels } from './tunnels.ts'
import { type Waits } from './waits.ts'

/** What a reload replaces, in one assignment. Times in milliseconds. */
export interface ProxySettings {
  readonly router: Router
  readonly hooks: RequestHooks
  readonly trust: Trust
  readonly attempts: number
  readonly admission: Admission
  /** Cookies of every pool's strategies: they are ours and reach no backend. */
  readonly ownCookies: readonly string[]
  readonly timeouts: {
    readonly connect: number
    readonly response: number
    /** For a client to send something of its request body. */
    readonly body: number
    readonly hook: number
    readonly handshake: number
  }
}

/** What every request and upgrade is served with. */
export interface ProxyContext {
  settings: ProxySettings
  /** `closing`: connections are not kept alive, upgrades are refused. `closed`: everything is refused. */
  state: 'open' | 'closing' | 'closed'
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  readonly httpPools: HttpPools
  readonly tunnels: Tunnels
  readonly sweeps: Sweeps
  readonly rebalances: Rebalances
  readonly controls: Controls
  /** Upgrades that have not been answered yet. */
  readonly pending: Set<PendingClient>
  readonly waits: Waits
}
