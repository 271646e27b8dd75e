import { cost } from './cost.ts'
import { type Policy } from './policy.ts'

/**
 * Power of two choices: of two different backends drawn by chance, the less loaded in proportion to its weight.
 * Nearly as even as `least-connections` at constant cost, and without its rush on a backend that has just come up.
 */
export function p2c(): Policy {
  return {
    name: 'p2c',
    pick(candidates, _request, chance) {
      const { length } = candidates
      if (length === 1) return candidates[0]!
      const i = Math.floor(chance() * length)
      // Drawn from the others, so that the two are always different.
      const j = (i + 1 + Math.floor(chance() * (length - 1))) % length
      const first = candidates[i]!
      const second = candidates[j]!
      return cost(second) < cost(first) ? second : first
    },
  }
}
