import t from 'tap'
import { hash } from '../../lib/balancing/hash.ts'
import { leastConnections } from '../../lib/balancing/least-connections.ts'
import { leastTime } from '../../lib/balancing/least-time.ts'
import { p2c } from '../../lib/balancing/p2c.ts'
import { random } from '../../lib/balancing/random.ts'
import { roundRobin } from '../../lib/balancing/round-robin.ts'
import { query } from '../../lib/core/request-key.ts'
import {
  Hold,
  Holds,
  LOST_CAUSES,
  type LostAction,
  type LostCause,
  MOST_HELD,
  type OnLost,
} from '../../lib/pool/on-lost.ts'
import { type Pool } from '../../lib/pool/pool.ts'
import { type PoolSpec } from '../../lib/pool/pool-spec.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

const elsewhere: LostAction = { wait: 0, then: 'rebalance' }
const reject: LostAction = { wait: 0, then: 'reject' }
const all = (action: LostAction): OnLost => ({ down: action, draining: action, full: action })
const only = (cause: LostCause, action: LostAction): OnLost => ({ ...all(elsewhere), [cause]: action })

/** Everybody belongs to `a`. */
const toA: StickyStrategy = { name: 'to-a', find: (_request, backends) => backends.get('a') }

function lostPool(cause: LostCause, onLost: OnLost | undefined, sticky = [toA]): Pool {
  const pool = poolOf({ a: { maxConnections: 1 }, b: {} }, { sticky, onLost })
  const a = pool.backends.get('a')!
  if (cause === 'full') pool.leases.take(a, {})
  if (cause === 'draining') pool.setAdminState(a, 'draining')
  if (cause === 'down') {
    a.health = 'down'
    pool.setAdminState(a, 'active')
  }
  return pool
}

for (const cause of LOST_CAUSES) {
  t.test(`a backend that is ${cause}: elsewhere, refused, or held, and only for that cause`, async (t) => {
    const acquire = (onLost: OnLost | undefined, held?: number) =>
      lostPool(cause, onLost).acquire(plainRequest(), undefined, undefined, undefined, held)
    t.match(acquire(undefined, 0), { backend: { id: 'b' } })
    t.match(acquire(all(elsewhere), 0), { backend: { id: 'b' } })
    t.throws(() => acquire(only(cause, reject), 0), {
      code: 'WSLB_BACKEND_LOST',
      status: 503,
      retryAfter: 1,
      message: `backend a, to which the client belongs, is ${cause}`,
    })
    for (const other of LOST_CAUSES.filter((one) => one !== cause))
      t.match(acquire(only(other, reject), 0), { backend: { id: 'b' } }, `not for ${other}`)
    const wait: LostAction = { wait: 10_000, then: 'rebalance' }
    t.match(acquire(only(cause, wait), 0), { backend: { id: 'a' }, left: 10_000 })
    t.match(acquire(only(cause, wait), 4_000), { left: 6_000 })
    t.match(acquire(only(cause, wait), 10_000), { backend: { id: 'b' } }, 'the time is over')
    t.match(acquire(only(cause, wait)), { backend: { id: 'b' } }, 'it cannot be held, as with pick()')
    t.throws(() => acquire(only(cause, { ...wait, then: 'reject' }), 10_000), { code: 'WSLB_BACKEND_LOST' })
  })
}

t.test('who belongs to nobody is neither held nor refused', async (t) => {
  const nobody: StickyStrategy = { name: 'nobody', find: () => undefined }
  for (const cause of LOST_CAUSES)
    t.match(lostPool(cause, all(reject), [nobody]).acquire(plainRequest()), { backend: { id: 'b' } })
  const other: StickyStrategy = { name: 'b', find: (_request, backends) => backends.get('b') }
  t.match(
    lostPool('down', all(reject), [toA, other]).acquire(plainRequest()),
    { backend: { id: 'b' } },
    'or knows another',
  )
})

t.test(
  'one that fails this very request counts as down, and is waited for where somebody tells',
  async (t) => {
    const pool = poolOf(
      { a: {}, b: {} },
      { sticky: [toA], onLost: only('down', { wait: 10_000, then: 'reject' }) },
    )
    const a = pool.backends.get('a')!
    const acquire = () => pool.acquire(plainRequest(), new Set([a]), undefined, undefined, 0)
    t.throws(acquire, { code: 'WSLB_BACKEND_LOST' }, 'it is held to be up: nobody would tell')
    a.health = 'suspect'
    t.match(acquire(), { backend: a, left: 10_000 })
  },
)

t.test('one that is ejected is down, and waited for', async (t) => {
  const pool = poolOf(
    { a: {}, b: {} },
    { sticky: [toA], onLost: only('down', { wait: 10_000, then: 'reject' }) },
  )
  const a = pool.backends.get('a')!
  a.ejectedUntil = 60_000
  pool.setAdminState(a, 'active')
  t.match(pool.acquire(plainRequest(), undefined, undefined, undefined, 0), { backend: a, left: 10_000 })
  t.throws(() => pool.acquire(plainRequest()), { code: 'WSLB_BACKEND_LOST', message: /is down/ })
})

t.test('one that is busy with handshakes is waited for by its tokens', async (t) => {
  const wait = only('full', { wait: 5_000, then: 'reject' })
  const pool = poolOf({ a: { maxHandshakesPerSecond: 1 }, b: {} }, { sticky: [toA], onLost: wait })
  const due = Array.from({ length: 6 }, () =>
    pool.acquire(plainRequest(), undefined, 1_000, undefined, 0),
  ).map((found) => found instanceof Hold || found.tokenAt)
  t.same(due, [0, 1_000, 2_000, 3_000, 4_000, 5_000])
  t.throws(() => pool.acquire(plainRequest(), undefined, 1_000, undefined, 0), {
    code: 'WSLB_BACKEND_LOST',
    retryAfter: 1,
  })
})

t.test('those who are held are told in order, one for each place that becomes free', async (t) => {
  const pool = lostPool('full', all({ wait: 1_000, then: 'rebalance' }))
  const a = pool.backends.get('a')!
  const told: string[] = []
  const places = ['x', 'y', 'z'].map((name) => pool.holds.add(a, () => told.push(name)))
  t.equal(a.waiting, 3)
  const [lease] = [pool.leases.take(a, {})]
  lease.release()
  t.same(told, [], 'it is still full')
  pool.setAdminState(a, 'active')
  t.same(told, ['x', 'y', 'z'], 'something else has changed')
  places[0]!.cancel()
  places[0]!.cancel()
  t.equal(a.waiting, 2)
  pool.backends.get('b')
  pool.reconfigure({ ...pool.spec, backends: pool.spec.backends.slice(1) })
  t.same(told.slice(3), ['y', 'z'], 'it has left')
  pool.stop()
  t.same(told.slice(5), ['y', 'z'], 'the pool is stopped')
  for (const place of places) place.cancel()
  t.equal(a.waiting, 0)
})

t.test('a place that becomes free wakes the first alone', async (t) => {
  const pool = poolOf({ a: { maxConnections: 1 } }, { sticky: [toA] })
  const a = pool.backends.get('a')!
  const lease = pool.acquire(plainRequest())
  const told: string[] = []
  for (const name of ['x', 'y']) pool.holds.add(a, () => told.push(name))
  lease.release()
  t.same(told, ['x'])
})

t.test('there is a limit to how many are held', async (t) => {
  const holds = new Holds()
  const a = plainBackend('a')
  const places = Array.from({ length: MOST_HELD - 1 }, () => holds.add(a, () => {}))
  t.notOk(holds.isFull)
  places.push(holds.add(a, () => {}))
  t.ok(holds.isFull)
  places[17]!.cancel()
  t.notOk(holds.isFull)
})

const room = (i: number, cookie?: string) =>
  plainRequest({ url: `/?room=${i}`, clientAddress: `10.1.${i >> 8}.${i & 255}`, headers: { cookie } })
const own: StickyStrategy = {
  name: 'own',
  find: ({ query }, backends) => [...backends.values()][Number(query.get('room')) % backends.size],
}
const POLICIES = {
  random,
  roundRobin,
  leastConnections,
  p2c,
  leastTime,
  hash,
}
const STRATEGIES = {
  cookie: () => stickyCookie({ secret: 'x' }),
  own: () => own,
  hashBy: () => hashBy(query('room')),
}

for (const [strategy, sticky] of Object.entries(STRATEGIES)) {
  for (const [policy, make] of Object.entries(POLICIES)) {
    t.test(`the clients of a lost backend spread over all others: ${strategy}, ${policy}`, async (t) => {
      const clients = 1_200
      const options: Partial<PoolSpec> = { sticky: [sticky()], policy: make() }
      const pool = poolOf({ a: {}, b: {}, c: {}, d: {} }, options, new ManualClock(), seededRandom(9))
      const first = Array.from({ length: clients }, (_, i) => pool.acquire(room(i)))
      const a = pool.backends.get('a')!
      a.health = 'down'
      pool.setAdminState(a, 'active')
      const counts: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 }
      let lost = 0
      for (const [i, lease] of first.entries()) {
        if (lease.backend !== a) continue
        lost++
        lease.release()
        const cookie = lease.setCookies[0]?.split(';')[0]
        counts[pool.acquire(room(i, cookie)).backend.id]!++
      }
      t.ok(lost > 200, `${lost} were there`)
      t.equal(counts.a, 0)
      for (const id of ['b', 'c', 'd'])
        t.ok(Math.abs(counts[id]! - lost / 3) < 5 * Math.sqrt(lost / 3), `${id}: ${counts[id]} of ${lost}`)
    })
  }
}
