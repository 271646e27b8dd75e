import { type Backend } from '../core/backend.ts'
import { type Policy } from './policy.ts'

/**
 * In turn. Smooth weighted round robin as in nginx: every turn each backend gains its weight, the richest is picked
 * and pays the sum. Over a cycle the shares are exact, and a heavy backend's turns are spread out, not bunched.
 */
export function roundRobin(): Policy {
  // By backend, not by array: the turn goes on when a candidate comes or goes.
  const credit = new WeakMap<Backend, number>()

  return {
    name: 'round-robin',
    pick(candidates) {
      let total = 0
      let best: Backend | undefined
      let most = -Infinity
      for (const backend of candidates) {
        const { weight } = backend
        const now = (credit.get(backend) ?? 0) + weight
        credit.set(backend, now)
        total += weight
        if (now > most) {
          most = now
          best = backend
        }
      }
      credit.set(best!, most - total)
      return best!
    },
  }
}
