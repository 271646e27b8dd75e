import t from 'tap'
import { ConfigError } from '../../lib/core/errors.ts'
import { type IncomingRequest } from '../../lib/core/request.ts'
import { clientIp, query, type RequestKey } from '../../lib/core/request-key.ts'
import { type Pool } from '../../lib/pool/pool.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf, spec } from '../support/pool.ts'

const sticky = [hashBy(query('room'))]
const room = (name: string | number) => plainRequest({ url: `/?room=${name}` })
const rooms = Array.from({ length: 1_000 }, (_, i) => room(i))
const four = { a: {}, b: {}, c: {}, d: {} }

function take(pool: Pool, request: IncomingRequest, tried?: Set<string>): string {
  const failed = tried && new Set([...tried].map((id) => pool.backends.get(id)!))
  const lease = pool.acquire(request, failed)
  lease.release()
  return lease.backend.id
}
const owners = (pool: Pool, tried?: Set<string>) => rooms.map((request) => take(pool, request, tried))
const shares = (ids: readonly string[]) => {
  const counts: Record<string, number> = {}
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1
  return counts
}

/** Ways in which an owner cannot serve, and how it can again. */
const LOST: Record<string, (pool: Pool, id: string) => () => void> = {
  draining: (pool, id) => {
    pool.setAdminState(pool.backends.get(id)!, 'draining')
    return () => pool.setAdminState(pool.backends.get(id)!, 'active')
  },
  down: (pool, id) => {
    const backend = pool.backends.get(id)!
    backend.health = 'down'
    pool.setAdminState(backend, 'active')
    return () => {
      backend.health = 'up'
      pool.setAdminState(backend, 'active')
    }
  },
  full: (pool, id) => {
    const leases = Array.from({ length: 5 }, () => pool.leases.take(pool.backends.get(id)!, {}))
    return () => leases.forEach((lease) => lease.release())
  },
}

for (const [cause, lose] of Object.entries(LOST)) {
  t.test(`while its owner is ${cause} a key is with others, by weight, and then comes home`, async (t) => {
    const limits = { maxConnections: 5 }
    const pool = poolOf({ a: limits, b: limits, c: limits, d: { ...limits, weight: 2 } }, { sticky })
    const before = owners(pool)
    const restore = lose(pool, 'a')
    const meanwhile = owners(pool)
    const moved = meanwhile.filter((id, i) => id !== before[i])
    t.equal(moved.length, before.filter((id) => id === 'a').length, 'nobody else has moved')
    const { b = 0, c = 0, d = 0 } = shares(moved)
    t.equal(b + c + d, moved.length)
    for (const [count, weight] of [
      [b, 1],
      [c, 1],
      [d, 2],
    ] as const) {
      const expected = (moved.length * weight) / 4
      t.ok(Math.abs(count - expected) < 4 * Math.sqrt(expected), `${count} of ${expected}`)
    }
    t.same(owners(pool), meanwhile, 'each stays where it is meanwhile')
    restore()
    t.same(owners(pool), before)
  })
}

t.test('an owner that has failed this very request is left for the next in its order', async (t) => {
  const pool = poolOf(four, { sticky })
  const before = owners(pool)
  const after = owners(pool, new Set(['a']))
  t.same(
    after.filter((_, i) => before[i] !== 'a'),
    before.filter((id) => id !== 'a'),
  )
  t.same(Object.keys(shares(after)).sort(), ['b', 'c', 'd'])
  for (const [i, request] of rooms.slice(0, 50).entries()) {
    const tried = new Set([before[i]!])
    tried.add(take(pool, request, tried))
    t.notOk(tried.has(take(pool, request, tried)))
  }
})

t.test(
  'a backend that joins takes its share, one that leaves gives its own, and the others keep theirs',
  async (t) => {
    const pool = poolOf(four, { sticky })
    const before = owners(pool)
    pool.reconfigure(spec({ ...four, e: {} }, { sticky }))
    const grown = owners(pool)
    t.ok(grown.every((id, i) => id === before[i] || id === 'e'))
    const taken = grown.filter((id) => id === 'e').length
    t.ok(taken > 140 && taken < 260, `${taken} of 200`)
    pool.reconfigure(spec(four, { sticky }))
    t.same(owners(pool), before)
  },
)

t.test(
  'neither backups nor those of weight 0 own a key; what is configured counts, not the ramp',
  async (t) => {
    const plain = owners(poolOf({ a: {}, b: {} }, { sticky }))
    const pool = poolOf({ a: {}, spare: { backup: true }, b: {}, none: { weight: 0 } }, { sticky })
    t.same(owners(pool), plain)
    pool.backends.get('a')!.ramp = 0.01
    pool.setAdminState(pool.backends.get('a')!, 'active')
    t.same(owners(pool), plain)
    pool.setAdminState(pool.backends.get('a')!, 'draining')
    pool.setAdminState(pool.backends.get('b')!, 'draining')
    t.same(Object.keys(shares(owners(pool))), ['spare'])
  },
)

t.test('without a key the next strategy decides, and then the policy', async (t) => {
  const pool = poolOf(four, { sticky: [...sticky, hashBy(clientIp())] })
  const byIp = poolOf(four, { sticky: [hashBy(clientIp())] })
  for (const clientAddress of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']) {
    const request = plainRequest({ clientAddress })
    t.equal(take(pool, request), take(byIp, request))
  }
  t.equal(take(pool, plainRequest({ clientAddress: 'unknown' })), 'a', 'the first: so says the policy')
})

t.test('a cookie before it keeps a client where it is; nothing is set for a key', async (t) => {
  const cookie = stickyCookie({ secret: 'x' })
  const pool = poolOf(four, { sticky: [cookie, ...sticky] })
  const request = rooms.find((one) => take(pool, one) === 'c')!
  const [line] = pool.acquire(request).setCookies
  const back = plainRequest({ url: '/?room=other', headers: { cookie: line!.split(';')[0] } })
  t.equal(take(pool, back), 'c')
  t.same(poolOf(four, { sticky }).acquire(request).setCookies, [])
})

t.test(
  'a strategy of the user may say where its clients go meanwhile, and is held to its candidates',
  async (t) => {
    const own = (failover: StickyStrategy['failover']): StickyStrategy => ({
      name: 'own',
      find: (_request, backends) => backends.get('a'),
      failover,
    })
    const pool = (failover: StickyStrategy['failover']) => {
      const made = poolOf(four, { sticky: [own(failover)] })
      made.setAdminState(made.backends.get('a')!, 'draining')
      return made
    }
    t.equal(
      take(
        pool((_request, candidates) => candidates.at(-1)),
        plainRequest(),
      ),
      'd',
    )
    t.equal(
      take(
        pool(() => undefined),
        plainRequest(),
      ),
      'b',
      'left to the policy',
    )
    const stranger = poolOf(four).backends.get('a')
    t.throws(
      () =>
        take(
          pool(() => stranger),
          plainRequest(),
        ),
      { code: 'WSLB_INTERNAL', message: /failover .*"own"/ },
    )
    const throws = pool(() => {
      throw new Error('ouch')
    })
    t.throws(() => take(throws, plainRequest()), { code: 'WSLB_INTERNAL', message: 'ouch' })
  },
)

t.test('what is no key is refused when the strategy is made, and when it says nonsense', async (t) => {
  t.throws(() => hashBy('room' as unknown as RequestKey), ConfigError)
  t.throws(() => hashBy(undefined as unknown as RequestKey), {
    message: /hashBy: got undefined; expected a key/,
  })
  const odd = poolOf(four, { sticky: [hashBy((() => 7) as unknown as RequestKey)] })
  t.throws(() => take(odd, plainRequest()), { code: 'WSLB_INTERNAL', message: /must be a string/ })
})

t.test('what makes a key is no key', (t) => {
  t.throws(() => hashBy(clientIp as never), { message: /got clientIp itself; did you mean clientIp\(\)\?/ })
  t.throws(() => hashBy(query as never), { message: /did you mean query\(…\)\?/ })
  t.end()
})
