import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'
import { drawByWeight, drawOther } from './weighted-draw.ts'

/**
 * The better one of two different backends drawn by chance; the only one where there is no other. Drawn by weight: who
 * has most of it must be drawn most of the time, or it could never get its share.
 */
export function betterOfTwo(
  candidates: readonly Backend[],
  chance: Random,
  isBetter: (a: Backend, b: Backend) => boolean,
): Backend {
  if (candidates.length === 1) return candidates[0]!
  const index = drawByWeight(candidates, chance)
  const first = candidates[index]!
  const second = candidates[drawOther(candidates, index, chance)]!
  return isBetter(second, first) ? second : first
}
