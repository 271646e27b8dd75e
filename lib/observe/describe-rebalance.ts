import { type RebalanceStartEvent } from '../core/events.ts'
import { thousands } from './thousands.ts'

/** What a rebalance is about to do: `rebalancing chat: 1 200 tunnels to move`. */
export function describeRebalance({ pool, surplus }: RebalanceStartEvent): string {
  return `rebalancing ${pool}: ${thousands(surplus)} tunnels to move`
}
