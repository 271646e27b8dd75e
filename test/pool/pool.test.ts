import t from 'tap'
import { DEFAULT_HEALTH } from '../../lib/health/options.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { Candidates } from '../../lib/pool/candidates.ts'
import { Pool } from '../../lib/pool/pool.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf, silent, spec } from '../support/pool.ts'

t.test('candidates are the best there is: up, backup, suspect, suspect backup, down', async (t) => {
  const ranked = [
    plainBackend('up'),
    plainBackend('backup', { backup: true }),
    plainBackend('suspect'),
    plainBackend('suspect-backup', { backup: true }),
    plainBackend('down'),
  ]
  ranked[2]!.health = ranked[3]!.health = 'suspect'
  ranked[4]!.health = 'down'
  const byId = new Map(
    ranked.map((backend) => [backend.id, backend]).reverse() as [string, (typeof ranked)[0]][],
  )
  const tried = new Set<(typeof ranked)[0]>()
  const order = ranked.map(() => {
    const [best] = new Candidates(byId, { lastResort: true, isPanic: () => false }).list(tried)
    tried.add(best!)
    return best?.id
  })
  t.same(order, ['up', 'backup', 'suspect', 'suspect-backup', 'down'])
  t.same(
    new Candidates(new Map([['down', ranked[4]!]]), { lastResort: false, isPanic: () => false }).list(
      undefined,
    ),
    [],
    'no last resort',
  )
})

t.test('the list is the same object until something changes', async (t) => {
  const candidates = new Candidates(new Map([['a', plainBackend('a')]]), {
    lastResort: true,
    isPanic: () => false,
  })
  const first = candidates.list(undefined)
  t.equal(candidates.list(undefined), first)
  candidates.invalidate()
  t.not(candidates.list(undefined), first)
})

t.test('draining, disabled, full and weightless backends get nobody new', async (t) => {
  const pool = poolOf({
    draining: {},
    disabled: {},
    full: { maxConnections: 1 },
    none: { weight: 0 },
    good: {},
  })
  const [draining, disabled] = pool.backends.values()
  pool.setAdminState(draining!, 'draining')
  pool.setAdminState(disabled!, 'disabled')
  const ids = [1, 2, 3].map(() => pool.acquire(plainRequest()).backend.id)
  t.same(ids, ['full', 'good', 'good'])
})

t.test('a lease is released once, whatever happens', async (t) => {
  const pool = poolOf({ a: {} })
  const lease = pool.acquire(plainRequest())
  t.equal(lease.backend.load, 1)
  lease.release()
  lease.release(new Error('again'))
  t.match(lease.backend, { load: 0, counters: { failures: 0 } })
})

t.test('only a failure of the backend counts as one', async (t) => {
  const pool = poolOf({ a: {} })
  const { backend } = pool.acquire(plainRequest())
  pool.acquire(plainRequest()).release(new WslbError('WSLB_CLIENT_GONE', 'gone'))
  pool.acquire(plainRequest()).release(new WslbError('WSLB_NO_RESOURCES', 'EMFILE'))
  t.equal(backend.counters.failures, 0)
  pool.acquire(plainRequest()).release(new WslbError('WSLB_CONNECT_FAILED', 'refused'))
  t.equal(backend.counters.failures, 1)
})

t.test('a full pool says so, and serves again when a place is free', async (t) => {
  const pool = poolOf({ a: { maxConnections: 1 } })
  const lease = pool.acquire(plainRequest())
  t.throws(() => pool.acquire(plainRequest()), { code: 'WSLB_AT_CAPACITY', retryAfter: 1 })
  lease.release()
  t.equal(pool.acquire(plainRequest()).backend.id, 'a')
  t.throws(() => poolOf({}).acquire(plainRequest()), { code: 'WSLB_NO_BACKEND' })
})

t.test('a client stays on a suspect backend and leaves a down one, with a new cookie', async (t) => {
  const pool = poolOf({ a: {}, b: {} }, { sticky: [stickyCookie({ secret: 'x' })] })
  const first = pool.acquire(plainRequest())
  t.equal(first.backend.id, 'a')
  const cookie = first.setCookies[0]!.split(';')[0]!
  const back = () => pool.acquire(plainRequest({ headers: { cookie } }))
  first.backend.health = 'suspect'
  t.match(back(), { backend: { id: 'a' }, setCookies: [] })
  first.backend.health = 'down'
  pool.setAdminState(first.backend, 'active')
  const moved = back()
  t.equal(moved.backend.id, 'b')
  t.match(moved.setCookies[0], /^server=/)
})

t.test('kept backends keep their object across a change; a new url is a new backend', async (t) => {
  const pool = poolOf({ a: {}, b: {}, c: {} })
  const [a, b] = pool.backends.values()
  const next = spec({ a: { weight: 5 }, b: {} })
  const moved = { ...next.backends[1]!, url: new URL('http://127.0.0.1:99') }
  const left = pool.reconfigure({ ...next, backends: [next.backends[0]!, moved] })
  t.same(
    left.map(({ id }) => id),
    ['b', 'c'],
  )
  t.equal(pool.backends.get('a'), a)
  t.equal(a?.settings.weight, 5)
  t.not(pool.backends.get('b'), b)
})

t.test('a policy may pick what it was offered, and nothing else', async (t) => {
  const misfits: Record<string, (pool: Pool) => unknown> = {
    nothing: () => undefined,
    'a stranger of the same id': () => plainBackend('a'),
    'one that has failed this request': (pool) => pool.backends.get('tried'),
    'one that is draining': (pool) => pool.backends.get('draining'),
  }
  for (const [name, misfit] of Object.entries(misfits)) {
    const policy = { name: 'odd', pick: () => misfit(pool) } as unknown as Policy
    const pool = poolOf({ a: {}, tried: {}, draining: {} }, { policy })
    pool.setAdminState(pool.backends.get('draining')!, 'draining')
    const tried = new Set([pool.backends.get('tried')!])
    t.throws(() => pool.acquire(plainRequest(), tried), { code: 'WSLB_INTERNAL', message: /"odd"/ }, name)
    t.ok(
      [...pool.backends.values()].every(({ load }) => load === 0),
      'no lease is left',
    )
  }
})

t.test('what was offered is known for each list that was handed out, also after a change', async (t) => {
  const [a, b] = [plainBackend('a'), plainBackend('b')]
  const candidates = new Candidates(new Map([a, b].map((backend) => [backend.id, backend])), {
    lastResort: true,
    isPanic: () => false,
  })
  const before = candidates.list(undefined)
  a.adminState = 'draining'
  candidates.invalidate()
  const after = candidates.list(undefined)
  t.same(
    [before, after, candidates.list(new Set([a]))].map((list) =>
      [a, b].map((one) => candidates.includes(list, one)),
    ),
    [
      [true, true],
      [false, true],
      [false, true],
    ],
  )
})

t.test('reloads that change nothing put no probe off: a backend that dies silently is found', async (t) => {
  const clock = new ManualClock()
  let well = true
  const probe = () => (well ? Promise.resolve() : Promise.reject(new Error('no answer')))
  const config = () =>
    spec(
      { a: {} },
      {
        health: {
          ...DEFAULT_HEALTH,
          ...{ probe, interval: { up: 500 }, timeout: 400, debounce: 1_000 },
        },
      },
    )
  const dial = () => Promise.reject(new Error('unused'))
  const pool = new Pool(config(), {
    events: silent,
    clock,
    random: () => 0.5,
    dial,
    tunnelsOf: () => [],
    onChange: () => {},
  })
  t.teardown(() => pool.stop())
  pool.start()
  await clock.advance(1_000)
  pool.reconfigure(config())
  well = false
  const seen: (string | undefined)[] = []
  for (let round = 0; round < 10; round++) {
    await clock.advance(300)
    pool.reconfigure(config())
    seen.push(pool.backends.get('a')?.health)
  }
  t.same([...new Set(seen)].slice(-2), ['suspect', 'down'], seen.join())
  well = true
  await clock.advance(300)
  pool.reconfigure(config())
  await clock.advance(300)
  t.equal(pool.backends.get('a')?.health, 'up')
})
