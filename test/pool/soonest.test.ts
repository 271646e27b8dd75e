import t from 'tap'
import { type Backend } from '../../lib/core/backend.ts'
import { type Pool } from '../../lib/pool/pool.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf, spec } from '../support/pool.ts'

const rate = (maxHandshakesPerSecond: number) => ({ maxHandshakesPerSecond })
const upgrade = (pool: Pool, maxWait = 1_000, tried?: ReadonlySet<Backend>) => {
  const { backend, tokenAt } = pool.acquire(plainRequest(), tried, maxWait)
  return `${backend.id} ${Math.round(tokenAt)}`
}
const upgrades = (pool: Pool, count: number, maxWait?: number) =>
  Array.from({ length: count }, () => upgrade(pool, maxWait))

t.test('who takes a handshake at once comes before who does not, then the shortest wait', async (t) => {
  const pool = poolOf({ slow: rate(10), quick: rate(20) })
  t.same(upgrades(pool, 6), ['slow 0', 'quick 0', 'quick 0', 'quick 50', 'slow 100', 'quick 100'])
})

t.test('the policy chooses among those that take it at once', async (t) => {
  const seen: string[] = []
  const policy = {
    name: 'last',
    pick: (candidates: readonly Backend[]) => {
      seen.push(candidates.map(({ id }) => id).join())
      return candidates.at(-1)!
    },
  }
  const pool = poolOf({ a: rate(5), b: rate(5), c: rate(1) }, { policy })
  t.same(upgrades(pool, 2), ['c 0', 'b 0'])
  t.same(seen, ['a,b,c', 'a,b,c', 'a,b'])
})

t.test('when all are busy for too long the refusal says when it is worth coming back', async (t) => {
  const clock = new ManualClock()
  const pool = poolOf({ a: rate(1), b: rate(1) }, {}, clock)
  upgrades(pool, 6, 2_000)
  t.throws(() => upgrade(pool, 2_000), { code: 'WSLB_TOO_MANY_HANDSHAKES', status: 503, retryAfter: 3 })
  await clock.advance(1_900)
  t.throws(() => upgrade(pool, 0), { code: 'WSLB_TOO_MANY_HANDSHAKES', retryAfter: 2 })
  await clock.advance(1_050)
  t.throws(() => upgrade(pool, 0), { code: 'WSLB_TOO_MANY_HANDSHAKES', retryAfter: 1 })
  await clock.advance(50)
  t.equal(upgrade(pool, 0), 'a 3000')
  t.ok(
    [...pool.backends.values()].every(({ load }) => load <= 4),
    'a refusal takes no lease',
  )
})

t.test('a client that belongs to a backend waits for it, but not for too long', async (t) => {
  const pool = poolOf({ a: rate(1), b: rate(1) }, { sticky: [stickyCookie({ secret: 'x' })] })
  const [cookie] = pool.acquire(plainRequest(), undefined, 1_000).setCookies[0]!.split(';')
  const back = () => pool.acquire(plainRequest({ headers: { cookie: cookie! } }), undefined, 1_000)
  t.match(back(), { backend: { id: 'a' }, tokenAt: 1_000, setCookies: [] })
  t.match(back(), { backend: { id: 'b' }, tokenAt: 0, setCookies: [/^server=/] })
})

t.test('a backend that has failed this upgrade is not waited for', async (t) => {
  const pool = poolOf({ a: rate(5), b: rate(1) })
  const tried = new Set([pool.backends.get('a')!])
  t.equal(upgrade(pool, 1_000, tried), 'b 0')
  t.equal(upgrade(pool, 1_000, tried), 'b 1000')
  t.throws(() => upgrade(pool, 1_000, tried), { code: 'WSLB_TOO_MANY_HANDSHAKES' })
})

t.test('a busy pool spills over to backups and suspects, not to those that are down', async (t) => {
  const pool = poolOf({ a: rate(1), backup: { backup: true, ...rate(1) }, suspect: rate(1), down: {} })
  pool.backends.get('suspect')!.health = 'suspect'
  pool.backends.get('down')!.health = 'down'
  pool.setAdminState(pool.backends.get('down')!, 'active')
  t.same(upgrades(pool, 3, 0), ['a 0', 'backup 0', 'suspect 0'])
  t.throws(() => upgrade(pool, 0), { code: 'WSLB_TOO_MANY_HANDSHAKES', retryAfter: 1 })
})

t.test('when all are down, those are paced too', async (t) => {
  const pool = poolOf({ a: rate(1), b: rate(1) })
  for (const backend of pool.backends.values()) backend.health = 'down'
  pool.setAdminState(pool.backends.get('a')!, 'active')
  t.same(upgrades(pool, 3), ['a 0', 'b 0', 'a 1000'])
})

t.test('plain requests neither take a token nor wait for one', async (t) => {
  const pool = poolOf({ a: rate(1) })
  for (let i = 0; i < 5; i++) t.equal(pool.acquire(plainRequest()).tokenAt, -Infinity)
  t.equal(upgrade(pool, 0), 'a 0')
  t.equal(pool.acquire(plainRequest()).tokenAt, -Infinity)
})

t.test('a pool that is full says so, whatever its pace', async (t) => {
  const pool = poolOf({ a: { maxConnections: 1, ...rate(1) } })
  upgrade(pool)
  t.throws(() => upgrade(pool), { code: 'WSLB_AT_CAPACITY', retryAfter: 1 })
})

t.test('the bucket outlives a change of config and follows it', async (t) => {
  const pool = poolOf({ a: rate(20) })
  upgrades(pool, 2)
  pool.reconfigure(spec({ a: rate(20) }, { sticky: [stickyCookie({ secret: 'x' })] }))
  t.equal(pool.backends.get('a')!.handshakes.wait(0), 50, 'nobody gets a full bucket by a reload')
  pool.reconfigure(spec({ a: rate(40) }))
  t.equal(upgrade(pool), 'a 25')
  pool.reconfigure(spec({ a: {} }))
  t.same(upgrades(pool, 9), Array(9).fill('a -Infinity'))
})

t.test('without a limit the clock is not asked', async (t) => {
  const clock = new ManualClock()
  const pool = poolOf({ a: {}, b: {} }, { sticky: [stickyCookie({ secret: 'x' })] }, clock)
  clock.now = () => t.fail('asked') as never
  const [cookie] = pool.acquire(plainRequest(), undefined, 1_000).setCookies[0]!.split(';')
  const back = pool.acquire(plainRequest({ headers: { cookie: cookie! } }), undefined, 1_000)
  t.equal(back.tokenAt, -Infinity)
})
