import { type Balancer } from '../balancer.ts'
import { type RebalanceStartEvent } from '../core/events.ts'
import { type RebalanceResult } from '../proxy/controls.ts'
import { type Call, textOf } from './call.ts'

/** Evens out one pool or all, and tells how much there is to do. A client that leaves does not stop it. */
export async function rebalance(balancer: Balancer, call: Call): Promise<RebalanceResult> {
  const pool = call.input.pool === undefined ? undefined : textOf(call, 'pool')
  const onStart = (event: RebalanceStartEvent) => {
    if (pool === undefined || event.pool === pool) call.progress(event)
  }
  balancer.on('rebalance:start', onStart)
  try {
    return await balancer.rebalance(pool)
  } finally {
    balancer.off('rebalance:start', onStart)
  }
}
