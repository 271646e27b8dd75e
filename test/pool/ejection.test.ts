import t from 'tap'
import { type Backend, type BackendSettings } from '../../lib/core/backend.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { type BalancerEvents, Events } from '../../lib/core/events.ts'
import { DEFAULT_HEALTH } from '../../lib/health/options.ts'
import { Candidates } from '../../lib/pool/candidates.ts'
import { Pool } from '../../lib/pool/pool.ts'
import { type PoolSpec } from '../../lib/pool/pool-spec.ts'
import { sharesOf } from '../../lib/pool/shares.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { spec } from '../support/pool.ts'

const ejectable = DEFAULT_HEALTH

function start(own: Record<string, Partial<BackendSettings>>, over: Partial<PoolSpec> = {}) {
  const clock = new ManualClock()
  const events = new Events((error) => t.error(error))
  const told: BalancerEvents['pool:panic'][] = []
  events.on('pool:panic', (event) => told.push(event))
  events.on('pool:calm', (event) => told.push(event))
  const changed: string[] = []
  const pool = new Pool(spec(own, { health: ejectable, ...over }), {
    ...{ events, clock, random: () => 0, tunnelsOf: () => [] },
    dial: () => Promise.reject(new Error('unused')),
    onChange: ({ id }) => changed.push(id),
  })
  t.teardown(() => pool.stop())
  return { clock, pool, told, changed, backends: [...pool.backends.values()] as Backend[] }
}

const refused = () => new WslbError('WSLB_CONNECT_FAILED', 'refused')

/** What it takes to have one ejected. */
function fail(pool: Pool, backend: Backend) {
  for (let i = 0; i < 5; i++) pool.leases.take(backend, { work: 'request' }).release(refused())
}

t.test('one that is ejected is given nothing new, though it is up', async (t) => {
  const { pool, backends, clock, changed } = start({ a: {}, b: {}, c: {} })
  const [a] = backends as [Backend]
  fail(pool, a)
  t.match(a, { health: 'up', adminState: 'active', ejectedUntil: 10_000, counters: { failures: 5 } })
  t.equal(pool.acquire(plainRequest()).backend.id, 'b')
  t.same(changed, ['a'], 'who looks after the pool is told')
  t.same(
    [...sharesOf(backends, 0).keys()].map(({ id }) => id),
    ['b', 'c'],
    'nobody is moved there',
  )
  await clock.advance(10_000)
  t.equal(pool.acquire(plainRequest()).backend.id, 'a')
  t.same(changed, ['a', 'a'])
})

t.test('after up and suspect, before down: when nobody else is left', async (t) => {
  const [ejected, suspect, down] = ['ejected', 'suspect', 'down'].map((id) => plainBackend(id)) as [
    Backend,
    Backend,
    Backend,
  ]
  ejected.ejectedUntil = 1
  suspect.health = 'suspect'
  down.health = 'down'
  const byId = new Map([down, ejected, suspect].map((backend) => [backend.id, backend]))
  const order = (lastResort: boolean) => {
    const candidates = new Candidates(byId, { lastResort, isPanic: () => false })
    const tried = new Set<Backend>()
    for (;;) {
      const [next] = candidates.list(tried)
      if (!next) return [...tried].map(({ id }) => id)
      tried.add(next)
    }
  }
  t.same(order(true), ['suspect', 'ejected', 'down'])
  t.same(order(false), ['suspect'], 'without lastResort rather nobody')
})

t.test('whoever belongs to it goes elsewhere, and comes back when it does', async (t) => {
  const home: StickyStrategy = { name: 'home', find: (_request, backends) => backends.get('c') }
  const { pool, backends, clock } = start({ a: {}, b: {}, c: {} }, { sticky: [home] })
  const [a, b, c] = backends as [Backend, Backend, Backend]
  t.equal(pool.acquire(plainRequest()).backend, c)
  fail(pool, c)
  t.equal(pool.acquire(plainRequest()).backend, a)
  a.health = b.health = 'down'
  pool.setAdminState(a, 'active')
  t.equal(pool.acquire(plainRequest()).backend, c, 'nobody better is left')
  c.health = 'down'
  a.health = 'up'
  pool.setAdminState(a, 'active')
  t.equal(pool.acquire(plainRequest()).backend, a)
  a.health = b.health = c.health = 'up'
  await clock.advance(10_000)
  t.equal(pool.acquire(plainRequest()).backend, c)
})

t.test('a reload keeps it out, removal ends it, and so does ejection: false', async (t) => {
  const { pool, backends, clock } = start({ a: {}, b: {}, c: {}, d: {} })
  const [a, b] = backends as [Backend, Backend]
  fail(pool, a)
  fail(pool, b)
  pool.reconfigure(spec({ a: { weight: 3 }, c: {}, d: {} }, { health: ejectable }))
  t.equal(a.ejectedUntil, 10_000)
  t.equal(b.ejectedUntil, undefined)
  t.equal(pool.acquire(plainRequest()).backend.id, 'c')
  pool.reconfigure(spec({ a: {}, c: {} }, { health: { ...ejectable, ejection: false } }))
  t.equal(pool.acquire(plainRequest()).backend.id, 'a')
  pool.reconfigure(spec({ a: {}, c: {} }, { health: ejectable }))
  fail(pool, a)
  pool.reconfigure(spec({ a: {}, c: {} }, { health: undefined }))
  t.equal(a.ejectedUntil, undefined)
  t.equal(clock.pending, 0)
})

t.test('what a client did, or this machine, ejects nobody; nor does an answer that is wrong', async (t) => {
  const { pool, backends } = start({ a: {}, b: {} })
  const [a] = backends as [Backend]
  for (const code of [
    'WSLB_CLIENT_GONE',
    'WSLB_NO_RESOURCES',
    'WSLB_BAD_ANSWER',
    'WSLB_RESPONSE_CUT',
  ] as const)
    for (let i = 0; i < 20; i++)
      pool.leases.take(a, { work: 'request' }).release(new WslbError(code, 'it happens'))
  t.equal(a.ejectedUntil, undefined)
})

t.test('who forwards requests himself tells by release()', async (t) => {
  const { pool, backends } = start({ a: {}, b: {} })
  const [a] = backends as [Backend]
  let clients = 0
  const release = (error?: unknown) =>
    pool.leases.take(a, { work: 'upgrade', client: `10.0.0.${clients++}` }).release(error)
  for (let i = 0; i < 4; i++) release(new Error('socket hang up'))
  release()
  for (let i = 0; i < 4; i++) release(new Error('socket hang up'))
  t.equal(a.ejectedUntil, undefined)
  release(new Error('socket hang up'))
  t.not(a.ejectedUntil, undefined)
})

t.test('panic: below the threshold everybody active gets traffic, whatever their health', async (t) => {
  const panicky = { ...ejectable, panicThreshold: 0.5, lastResort: false }
  const { pool, backends, told, clock } = start(
    { a: {}, b: {}, c: {}, d: {}, backup: { backup: true }, none: { weight: 0 } },
    { health: panicky },
  )
  const [a, b, c, d] = backends as [Backend, Backend, Backend, Backend]
  const taken = () => {
    const seen = new Set<Backend>()
    const policy = { name: 'all', pick: (all: readonly Backend[]) => all.find((one) => seen.add(one))! }
    void policy
    for (;;) {
      try {
        seen.add(pool.acquire(plainRequest(), seen).backend)
      } catch {
        return [...seen].map(({ id }) => id)
      }
    }
  }
  fail(pool, a)
  b.health = 'suspect'
  pool.setAdminState(b, 'active')
  t.same(told, [], 'three of five can be used')
  t.equal(pool.isPanic, false)
  t.equal(pool.acquire(plainRequest()).backend, c)
  c.health = 'down'
  pool.setAdminState(c, 'active')
  t.same(told, [{ pool: 'default', usable: 2, members: 5 }])
  t.equal(pool.isPanic, true)
  t.equal(pool.acquire(plainRequest()).backend, a)
  t.same(taken(), ['a', 'b', 'c', 'd', 'backup'], 'but not of weight 0')
  pool.setAdminState(d, 'disabled')
  t.same(taken(), ['a', 'b', 'c', 'backup'], 'nor who is not active')
  pool.setAdminState(d, 'active')
  await clock.advance(10_000)
  t.equal(told.length, 2, 'three of five')
  t.equal(pool.isPanic, false)
  t.same(taken(), ['a', 'd', 'backup', 'b'], 'and who is down is left alone again')
})

t.test('panic: who belongs to a backend stays there; a reload turns it on and off', async (t) => {
  const home: StickyStrategy = { name: 'home', find: (_request, backends) => backends.get('b') }
  const { pool, backends, told } = start({ a: {}, b: {} }, { sticky: [home] })
  backends[1]!.health = 'down'
  t.equal(pool.acquire(plainRequest()).backend.id, 'a')
  const over = { sticky: [home], health: { ...ejectable, panicThreshold: 0.6 } }
  pool.reconfigure(spec({ a: {}, b: {} }, over))
  t.match(told, [{ usable: 1, members: 2 }])
  t.equal(pool.acquire(plainRequest()).backend.id, 'b')
  pool.reconfigure(spec({ a: {}, b: {} }, { sticky: [home], health: ejectable }))
  t.equal(told.length, 2)
  t.equal(pool.acquire(plainRequest()).backend.id, 'a')
})
