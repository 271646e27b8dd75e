import t from 'tap'
import { type Policy } from '../../lib/balancing/policy.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'

t.test('a policy that sorts in place hears of it at once, and breaks nothing', async (t) => {
  let sorts = true
  const byLoad: Policy = {
    name: 'by-load',
    pick(candidates) {
      const list = sorts ? (candidates as Backend[]) : [...candidates]
      return list.sort((a, b) => a.load - b.load)[0]!
    },
  }
  const pool = poolOf({ a: { maxConnections: 1 }, b: { maxConnections: 3 }, c: {} }, { policy: byLoad })
  const tried = new Set([pool.backends.get('a')!])
  for (const set of [undefined, tried]) t.throws(() => pool.acquire(plainRequest(), set), /read only/)
  sorts = false
  // Those that become full leave the list, and come back to it.
  const leases = Array.from({ length: 6 }, () => pool.acquire(plainRequest()))
  for (const lease of leases.splice(0)) lease.release()
  sorts = true
  t.throws(() => pool.acquire(plainRequest()), /read only/)
  sorts = false
  leases.push(...Array.from({ length: 6 }, () => pool.acquire(plainRequest())))
  t.equal(pool.backends.get('a')!.load, 1)
  t.equal(
    [...pool.backends.values()].reduce((sum, { load }) => sum + load, 0),
    6,
  )
  for (const lease of leases) lease.release()
})
