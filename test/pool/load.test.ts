import t from 'tap'
import { leastConnections } from '../../lib/balancing/least-connections.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { Candidates } from '../../lib/pool/candidates.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf, spec } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

t.test('a reload with another policy object begins with the true load', async (t) => {
  const pool = poolOf({ a: {}, b: {} }, { policy: leastConnections() })
  const [a, b] = [...pool.backends.values()]
  for (let client = 0; client < 10; client++) pool.leases.take(a!, {})
  pool.reconfigure(spec({ a: {}, b: {}, c: {} }, { policy: leastConnections() }))
  const picked = Array.from({ length: 20 }, () => pool.acquire(plainRequest()).backend.id)
  t.notOk(picked.includes('a'))
  t.equal(a!.load, 10)
  t.equal(b!.load, 10)
})

t.test('a policy hears of each lease that is taken and given back', async (t) => {
  const heard: string[] = []
  const policy: Policy = {
    name: 'listening',
    pick: (candidates) => candidates[0]!,
    loadChanged: ({ id, load }) => heard.push(`${id}${load}`),
  }
  const pool = poolOf({ a: { maxConnections: 1 }, b: {} }, { policy })
  const leases = [1, 2, 3].map(() => pool.acquire(plainRequest()))
  for (const lease of leases) lease.release()
  leases[0]!.release()
  t.same(heard, ['a1', 'b1', 'b2', 'a0', 'b1', 'b0'])
})

t.test('what a policy throws as it hears of a load fails the next pick, and no lease is lost', async (t) => {
  let isBroken = true
  const policy: Policy = {
    name: 'broken',
    pick: (candidates) => candidates[0]!,
    loadChanged() {
      if (isBroken) throw new Error('a bug of its author')
    },
  }
  const pool = poolOf({ a: {} }, { policy })
  const lease = pool.acquire(plainRequest())
  lease.release()
  t.equal(lease.backend.load, 0)
  isBroken = false
  t.throws(() => pool.acquire(plainRequest()), { code: 'WSLB_INTERNAL', message: 'a bug of its author' })
  t.equal(pool.acquire(plainRequest()).backend.load, 1)
})

t.test(
  'backends that become full and free again one by one: the lists are what ranking anew gives',
  async (t) => {
    const backends = Array.from({ length: 30 }, (_, index) =>
      plainBackend(`b${index}`, { maxConnections: 1, backup: index % 5 === 0 }),
    )
    const byId = new Map(backends.map((backend) => [backend.id, backend]))
    const candidates = new Candidates(byId, { lastResort: true, isPanic: () => false })
    const chance = seededRandom(9)
    let before = candidates.list(undefined)
    let copy = [...before]
    for (let step = 0; step < 2_000; step++) {
      const backend = backends[Math.floor(chance() * 30)]!
      // Rarely free, so that the backups have their turn as well.
      backend.load = chance() < 0.1 ? 0 : 1
      candidates.fullnessChanged(backend)
      const now = candidates.list(undefined)
      if (before.some((one, index) => one !== copy[index]))
        return t.fail('a list that was handed out has changed')
      const anew = new Candidates(byId, { lastResort: true, isPanic: () => false }).list(undefined)
      if (now.length !== anew.length || now.some((one, index) => one !== anew[index]))
        return t.fail(`step ${step}`)
      for (const one of backends)
        if (candidates.includes(now, one) !== now.includes(one)) return t.fail(one.id)
      before = now
      copy = [...now]
    }
  },
)
