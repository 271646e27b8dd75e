import { type Duration } from '../core/duration.ts'

/** What becomes of a client whose own backend cannot serve. */
export type LostConfig =
  | 'rebalance'
  | 'reject'
  | {
      /** A handshake or a request is held that long at most. */
      wait: Duration
      /** What follows when the time is over, or too many are held already (10,000 in a pool). @default 'rebalance' */
      then?: 'rebalance' | 'reject'
    }

/** The same whatever the cause, or by cause; what is left out is `'rebalance'`. */
export type OnLostConfig = LostConfig | { down?: LostConfig; draining?: LostConfig; full?: LostConfig }
