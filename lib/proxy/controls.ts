import { type Duration } from '../core/duration.ts'
import { type DrainOrder } from './drain-order.ts'
import { type CloseReason } from './tunnel-options.ts'

export interface DrainConfig {
  /**
   * Close frames are spread over this time; {@link deadline} less `websocket.closeTimeout` at most, so that the last
   * ones closed can answer too.
   * @default '30s'
   */
  over?: Duration
  /** Close code sent to clients (RFC 6455 §7.4). @default 1012 */
  code?: number
  /** Close reason, plain text, at most 123 bytes. @default 'service restart' */
  reason?: string
  /** Who is closed first; idle is who has had no message for longest. @default 'idle-first' */
  order?: DrainOrder
  /** What is still open then is cut. @default '60s', or 30 s more than an `over` that does not fit in */
  deadline?: Duration
}

export interface RebalanceResult {
  /** Tunnels that were closed. */
  readonly closed: number
}

/** What a hook can have the balancer do; each as the method of that name does it. */
export interface Controls {
  drain(target: string, options?: DrainConfig): Promise<void>
  restore(target: string): void
  rebalance(pool?: string): Promise<RebalanceResult>
  closeTunnel(id: number, reason: CloseReason): boolean
}
