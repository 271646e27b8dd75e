import { type Backend } from '../core/backend.ts'
import { betterOfTwo } from './better-of-two.ts'
import { cost } from './cost.ts'
import { type Policy } from './policy.ts'

/** Milliseconds: what answers faster than that is not told apart, it would be noise that decides. */
const FAST = 1

/**
 * Of two different backends drawn by chance, the one with the lower load by weight, times how long its handshakes take
 * of late (from dialling to the `101`; HTTP requests do not count: a long poll is slow on purpose). The older the figures
 * are, the less they count; with a backend that has none only the load is compared, so a newcomer is neither flooded nor
 * starved, and one that was slow is tried again.
 */
export function leastTime(): Policy {
  return {
    name: 'least-time',
    pick: (candidates, _request, chance) => betterOfTwo(candidates, chance, isBetter),
  }
}

function isBetter(a: Backend, b: Backend): boolean {
  return cost(a) * slowness(a, b) < cost(b)
}

/** How many times as long `a` takes as `b`, as far as both are known. */
function slowness({ handshakeTime: a }: Backend, { handshakeTime: b }: Backend): number {
  const trust = Math.min(a.trust, b.trust)
  if (trust === 0) return 1
  return (Math.max(FAST, a.value ?? 0) / Math.max(FAST, b.value ?? 0)) ** trust
}
