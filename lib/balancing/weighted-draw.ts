import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'

/**
 * Prefix sums of the weights, by array of candidates; `undefined` where all weights are equal. Members and weights of an
 * array never change, so all policies share them.
 */
const tables = new WeakMap<readonly Backend[], Float64Array | undefined>()

/** Index of one by chance, in proportion to the weights. */
export function drawByWeight(candidates: readonly Backend[], chance: Random): number {
  const sums = sumsOf(candidates)
  if (!sums) return Math.floor(chance() * candidates.length)
  return firstAbove(sums, chance() * sums[sums.length - 1]!)
}

/** Index of another one than the one at `index`, in the same way. There must be two. */
export function drawOther(candidates: readonly Backend[], index: number, chance: Random): number {
  const { length } = candidates
  const sums = sumsOf(candidates)
  if (!sums) return (index + 1 + Math.floor(chance() * (length - 1))) % length
  const before = index === 0 ? 0 : sums[index - 1]!
  const own = sums[index]! - before
  const value = chance() * (sums[length - 1]! - own)
  const other = firstAbove(sums, value < before ? value : value + own)
  // By rounding, at the very edge.
  return other === index ? (index + 1) % length : other
}

function sumsOf(candidates: readonly Backend[]): Float64Array | undefined {
  const known = tables.get(candidates)
  if (known || tables.has(candidates)) return known
  const sums = new Float64Array(candidates.length)
  const first = candidates[0]!.weight
  let total = 0
  let uniform = true
  for (let index = 0; index < sums.length; index++) {
    const { weight } = candidates[index]!
    uniform &&= weight === first
    sums[index] = total += weight
  }
  const table = uniform ? undefined : sums
  tables.set(candidates, table)
  return table
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
