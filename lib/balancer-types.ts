import { type Clock, type Random } from './core/clock.ts'
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
  readonly headers: { readonly 'set-cookie'?: readonly string[] }
  /** Call once when the request or socket is over; with the error if the backend failed. */
  release(error?: unknown): void
}

export interface DrainOptions {
  /** What is still open then is cut. @default `drain.deadline` of the config */
  deadline?: Duration
}

export interface CloseOptions {
  /** Wait this long for what is open to end by itself. @default 0, cut at once */
  drain?: Duration
}
