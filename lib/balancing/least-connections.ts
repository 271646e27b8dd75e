import { type Backend } from '../core/backend.ts'
import { cost } from './cost.ts'
import { type Policy } from './policy.ts'

/**
 * The least loaded in proportion to its weight; ties are broken by chance. Looks at every candidate.
 * Several balancers see only their own load, and a backend that comes back empty gets every new client
 * until it has caught up: `p2c` is gentler in both cases.
 */
export function leastConnections(): Policy {
  return {
    name: 'least-connections',
    pick(candidates, _request, chance) {
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
    },
  }
}
