import { type BackendSettings } from '../core/backend.ts'
import { type Logger, type LogLevel } from '../core/logger.ts'
import { type Policy } from '../balancing/policy.ts'
import { type HealthOptions } from '../health/options.ts'
import { type ClientLimits, type ListenerOptions } from '../listener/options.ts'
import { type Hooks } from '../proxy/hooks.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'

export interface BackendSpec {
  readonly id: string
  readonly url: URL
  readonly settings: BackendSettings
}

export interface PoolSpec {
  readonly name: string
  readonly backends: readonly BackendSpec[]
  readonly policy: Policy
  readonly sticky: readonly StickyStrategy[]
  /** `undefined`: no health loop. */
  readonly health: HealthOptions | undefined
}

export interface RouteSpec {
  /** Lower case; `*.` in front matches any name below. */
  readonly host: string | undefined
  readonly path: string | undefined
  readonly pool: string
}

/** A valid config with every default filled in and every duration in milliseconds. */
export interface ResolvedConfig {
  readonly listen: readonly ListenerOptions[]
  readonly limits: ClientLimits
  readonly pools: readonly PoolSpec[]
  /** Never empty: without `routes` one route to `default`. */
  readonly routes: readonly RouteSpec[]
  readonly drain: { readonly over: number; readonly code: number; readonly reason: string; readonly deadline: number }
  readonly websocket: {
    readonly ping: number | false
    readonly handshakeTimeout: number
    readonly idleTimeout: number | false
  }
  readonly timeouts: { readonly connect: number; readonly response: number; readonly hook: number }
  readonly attempts: number
  /** Addresses and CIDRs; `true` for everybody. */
  readonly trustProxy: boolean | readonly string[]
  readonly hooks: Hooks
  /** `undefined`: not said. */
  readonly log: LogLevel | Logger | undefined
}
