import { type Clock, type Random } from '../../core/clock.ts'
import { type Logger } from '../../core/logger.ts'

export interface RedisTransportOptions {
  /** What all keys begin with. */
  readonly prefix: string
  /** Milliseconds; `undefined` for no lease. Only with Sentinel. */
  readonly lease: number | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log?: Logger | undefined
}
