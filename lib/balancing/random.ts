import { type Policy } from './policy.ts'
import { drawByWeight } from './weighted-draw.ts'

/** By chance, in proportion to the weights. Needs no state, so any number of balancers agree on the distribution. */
export function random(): Policy {
  return {
    name: 'random',
    pick: (candidates, _request, chance) => candidates[drawByWeight(candidates, chance)]!,
  }
}
