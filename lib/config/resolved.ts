import { type Logger, type LogLevel } from '../core/logger.ts'
import { type ClientLimits, type ListenerOptions } from '../listener/options.ts'
import { type PoolSpec } from '../pool/pool-spec.ts'
import { type Admission } from '../proxy/admission.ts'
import { type DrainPlan } from '../proxy/drain.ts'
import { type RequestHooks } from '../proxy/hooks.ts'
import { type RouteSpec } from '../proxy/router.ts'
import { type TunnelTimes } from '../proxy/tunnel-options.ts'

/** A valid config with every default filled in and every duration in milliseconds. */
export interface ResolvedConfig {
  readonly listen: readonly ListenerOptions[]
  readonly limits: ClientLimits
  readonly pools: readonly PoolSpec[]
  /** Never empty: without `routes` one route to `default`. */
  readonly routes: readonly RouteSpec[]
  readonly drain: DrainPlan
  readonly websocket: TunnelTimes & { readonly handshakeTimeout: number }
  readonly timeouts: {
    readonly connect: number
    readonly response: number
    readonly body: number
    readonly hook: number
  }
  readonly attempts: number
  readonly admission: Admission
  /** Addresses and CIDRs; `true` for everybody. */
  readonly trustProxy: boolean | readonly string[]
  readonly hooks: RequestHooks
  /** `undefined`: not said. */
  readonly log: LogLevel | Logger | undefined
}
