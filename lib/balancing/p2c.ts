import { cost, eligible } from './eligible.ts'
import { type Policy } from './policy.ts'

/**
 * Power of two choices: of two different backends drawn by chance, the less loaded in proportion to its weight.
 * Nearly as even as `least-connections` at constant cost, and without its rush on a backend that has just come up.
 */
export function p2c(): Policy {
  return {
    name: 'p2c',
    pick(candidates, _request, chance) {
      const backends = eligible(candidates)
      if (backends.length === 1) return backends[0]!
      const i = Math.floor(chance() * backends.length)
      // Drawn from the others, so that the two are always different.
      const j = (i + 1 + Math.floor(chance() * (backends.length - 1))) % backends.length
      const first = backends[i]!
      const second = backends[j]!
      return cost(second) < cost(first) ? second : first
    },
  }
}
