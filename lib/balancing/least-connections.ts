import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'
import { cost } from './cost.ts'
import { CostRanking } from './cost-ranking.ts'
import { type Policy } from './policy.ts'

/**
 * The least loaded in proportion to its weight; ties are broken by chance. A pick costs the logarithm of the number of
 * candidates, as long as `loadChanged` is called; without it all are looked at.
 * Several balancers see only their own load, and a backend that comes back empty gets every new client
 * until it has caught up: `p2c` is gentler in both cases.
 */
export function leastConnections(): Policy {
  let seen: readonly Backend[] | undefined
  let ranking: CostRanking | undefined
  let last: Backend | undefined

  /** Whoever wraps this policy has kept the load of the last pick to himself. */
  function isUntold(): boolean {
    return ranking !== undefined && last !== undefined && ranking.isStale(last)
  }

  return {
    name: 'least-connections',
    pick(candidates, _request, chance) {
      if (candidates !== seen || isUntold()) {
        // To rank them costs more than to look at all, and nobody knows yet whether they are ever asked for again.
        seen = candidates
        ranking = undefined
        last = leastOf(candidates, chance)
      } else {
        ranking ??= new CostRanking(candidates)
        last = ranking.draw(chance)
      }
      return last
    },
    loadChanged(backend) {
      ranking?.update(backend)
    },
  }
}

function leastOf(candidates: readonly Backend[], chance: Random): Backend {
  let best: Backend | undefined
  let least = Infinity
  let ties = 0
  for (const backend of candidates) {
    const here = cost(backend)
    if (here < least) {
      best = backend
      least = here
      ties = 1
    } else if (here === least && chance() * ++ties < 1) {
      // Reservoir sampling: the n-th of equals replaces the choice with probability 1/n.
      best = backend
    }
  }
  return best!
}
