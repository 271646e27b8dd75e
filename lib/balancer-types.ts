import { type Clock, type Random } from './core/clock.ts'
import { type DrainConfig } from './config/config.ts'
import { type Duration } from './core/duration.ts'
import { type Logger } from './core/logger.ts'

export interface BalancerOptions {
  /** Where the log goes; wins over `log` in the config. @default what `log` says, else silent */
  logger?: Logger
  /** Aborting it closes the balancer. */
  signal?: AbortSignal
  /** Where relative certificate paths start. @default the working directory */
  baseDir?: string
  /** @default the system's */
  clock?: Clock
  /** @default Math.random */
  random?: Random
}

/** A backend chosen for a request that somebody else forwards. */
export interface Choice {
  readonly backend: { readonly id: string; readonly pool: string; readonly url: string }
  /** For the response to the client, beside its own: ties the client to the backend. Empty when it is tied already. */
  readonly headers: { 'set-cookie'?: string[] }
  /** Call once when the request or socket is over; with the error if the backend failed. */
  release(error?: unknown): void
}

/** What `drain()` may do otherwise than `drain` in the config says. */
export type DrainOptions = DrainConfig

export interface CloseOptions {
  /**
   * Let what is open end for this long: requests finish, WebSockets get a Close frame, at the pace that `drain` of the
   * config says as far as this time allows; the rest is cut. An object says the pace too.
   * @default 0, cut at once
   */
  drain?: Duration | DrainOptions
}
