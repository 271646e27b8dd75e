import { type BackendSettings } from '../../lib/core/backend.ts'
import { type Random } from '../../lib/core/clock.ts'
import { type EventSink } from '../../lib/core/events.ts'
import { Pool } from '../../lib/pool/pool.ts'
import { type PoolSpec } from '../../lib/pool/pool-spec.ts'
import { inOrder } from './balancer.ts'
import { ManualClock } from './clock.ts'
import { plainBackend } from './plain.ts'

export const silent: EventSink = { emit: () => {}, wants: () => false, after: (change) => change() }

/** A pool of backends on paper, which picks the first candidate. */
export function spec(
  backends: Record<string, Partial<BackendSettings>>,
  over: Partial<PoolSpec> = {},
): PoolSpec {
  return {
    name: 'default',
    backends: Object.entries(backends).map(([id, own], index) => ({
      id,
      url: new URL(`http://127.0.0.1:${index + 1}`),
      settings: plainBackend(id, own).settings,
    })),
    source: undefined,
    policy: inOrder,
    sticky: [],
    onLost: undefined,
    health: undefined,
    rebalance: undefined,
    retryBudget: undefined,
    slowStart: undefined,
    ...over,
  }
}

export function poolOf(
  backends: Record<string, Partial<BackendSettings>>,
  over: Partial<PoolSpec> = {},
  clock = new ManualClock(),
  random: Random = () => 0,
): Pool {
  const dial = () => Promise.reject(new Error('unused'))
  return new Pool(spec(backends, over), {
    ...{ events: silent, clock, random, dial },
    tunnelsOf: () => [],
    onChange: () => {},
  })
}
