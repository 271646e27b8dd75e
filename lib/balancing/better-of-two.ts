import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'

/** The better one of two different backends drawn by chance; the only one where there is no other. */
export function betterOfTwo(
  candidates: readonly Backend[],
  chance: Random,
  isBetter: (a: Backend, b: Backend) => boolean,
): Backend {
  const { length } = candidates
  if (length === 1) return candidates[0]!
  const i = Math.floor(chance() * length)
  // Drawn from the others, so that the two are always different.
  const j = (i + 1 + Math.floor(chance() * (length - 1))) % length
  const first = candidates[i]!
  const second = candidates[j]!
  return isBetter(second, first) ? second : first
}
