import { type Clock } from '../../core/clock.ts'
import { type Logger } from '../../core/logger.ts'
import { type HistoryOptions } from '../options.ts'

/**
 * What happens to the clients of a node that has missed broadcasts for good: `reconnect` closes their connections; they
 * come back by themselves, with `recovered: false`. `keep` leaves them connected.
 */
export type OnGap = 'keep' | 'reconnect'

export interface AdapterOptions {
  /** What the names of its channels begin with: another one for each application that shares a relay's prefix. @default 'socket.io' */
  prefix?: string
  /**
   * What is kept of each namespace: for nodes that were cut off for a moment, and as far back as clients are recovered.
   * @default { length: 10000, ttlMs: 120000 }, and ttlMs at least `maxDisconnectionDuration`
   */
  history?: HistoryOptions
  /** Milliseconds that `fetchSockets()` and `serverSideEmit()` wait for the other nodes. @default 5000 */
  requestTimeout?: number
  /** @default 'reconnect' with `connectionStateRecovery`, else 'keep' */
  onGap?: OnGap
  /** Pino-shaped. @default nothing is logged */
  log?: Logger
  /** @default the system's */
  clock?: Clock
}

export interface ResolvedAdapterOptions {
  readonly prefix: string
  readonly history: { readonly length: number; readonly ttlMs: number }
  readonly requestTimeout: number
  /** Milliseconds for which a client may be away and go on; `undefined` without `connectionStateRecovery`. */
  readonly away: number | undefined
  readonly onGap: OnGap
  readonly log: Logger | undefined
  readonly clock: Clock
}
