import { type Backend } from '../core/backend.ts'
import { type Policy } from './policy.ts'

/** By chance, in proportion to the weights. Needs no state, so any number of balancers agree on the distribution. */
export function random(): Policy {
  const sums = new WeakMap<readonly Backend[], Float64Array | undefined>()

  /** Prefix sums of the weights; `undefined` when all are equal. */
  function prefixSums(backends: readonly Backend[]): Float64Array | undefined {
    if (sums.has(backends)) return sums.get(backends)
    const result = new Float64Array(backends.length)
    const first = backends[0]!.weight
    let total = 0
    let uniform = true
    for (let index = 0; index < result.length; index++) {
      const { weight } = backends[index]!
      uniform &&= weight === first
      result[index] = total += weight
    }
    sums.set(backends, uniform ? undefined : result)
    return uniform ? undefined : result
  }

  return {
    name: 'random',
    pick(candidates, _request, chance) {
      const table = prefixSums(candidates)
      if (!table) return candidates[Math.floor(chance() * candidates.length)]!
      return candidates[firstAbove(table, chance() * table[table.length - 1]!)]!
    },
  }
}

/** Index of the first sum greater than `value`, by bisection. */
function firstAbove(sums: Float64Array, value: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sums[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}
