import { type Duration } from '../core/duration.ts'

export interface RetryBudgetConfig {
  /** Retries in vain at most, as a part of the requests of the pool: 0.5 is one for two requests. @default 0.5 */
  share?: number
  /** Retries in vain a second that are allowed however few requests there are. @default 10 */
  minPerSecond?: number
  /** The time over which both are counted. @default '10s' */
  window?: Duration
}
