import { betterOfTwo } from './better-of-two.ts'
import { isCheaper } from './cost.ts'
import { type Policy } from './policy.ts'

/**
 * Power of two choices: of two different backends drawn by chance and weight, the less loaded in proportion to its weight.
 * Nearly as even as `least-connections` at constant cost, and without its rush on a backend that has just come up.
 */
export function p2c(): Policy {
  return {
    name: 'p2c',
    pick: (candidates, _request, chance) => betterOfTwo(candidates, chance, isCheaper),
  }
}
