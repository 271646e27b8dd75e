import t from 'tap'
import { p2c } from '../../lib/balancing/p2c.ts'
import { random } from '../../lib/balancing/random.ts'
import { type PoolSpec } from '../../lib/pool/pool-spec.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { query } from '../../lib/core/request-key.ts'
import { DEFAULT_HEALTH } from '../../lib/health/options.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf, spec } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

const slowStart = { over: 20_000, from: 0.1, maxHandshakesPerSecond: 10 }

function running(over: Partial<PoolSpec> = {}, backends: Parameters<typeof spec>[0] = { a: {}, b: {} }) {
  const clock = new ManualClock()
  const pool = poolOf(backends, { slowStart, ...over }, clock, seededRandom(1))
  pool.start()
  const rampOf = (id: string) => pool.backends.get(id)!.ramp
  const join = (more: Parameters<typeof spec>[0]) =>
    pool.reconfigure(spec({ ...backends, ...more }, { slowStart, ...over }))
  /** Backends of so many upgrades that wait for nobody. */
  const upgrades = (count: number) =>
    Array.from({ length: count }, () => pool.acquire(plainRequest(), undefined, 0).backend.id)
  return { clock, pool, rampOf, join, upgrades }
}

t.test('backends of the first config have all of their weight', async (t) => {
  const { rampOf, clock } = running()
  t.equal(rampOf('a'), 1)
  t.equal(clock.pending, 0)
})

t.test('one that is added grows to its weight, and the timer ends', async (t) => {
  const { join, pool, rampOf, clock } = running()
  join({ c: { weight: 4 } })
  t.equal(rampOf('c'), 0.1)
  t.equal(pool.backends.get('c')!.weight, 0.4)
  await clock.advance(10_000)
  t.ok(Math.abs(rampOf('c') - 0.55) < 1e-9, `${rampOf('c')}`)
  await clock.advance(10_000)
  t.equal(rampOf('c'), 1)
  t.equal(rampOf('a'), 1)
  t.equal(clock.pending, 0)
})

t.test('its share of clients grows with it', async (t) => {
  const { join, pool, clock } = running({ policy: random() })
  join({ c: {} })
  const shareOf = (id: string) => {
    const picks = Array.from({ length: 4_000 }, () => pool.acquire(plainRequest()))
    for (const lease of picks) lease.release()
    return picks.filter(({ backend }) => backend.id === id).length / picks.length
  }
  // Weights 1, 1, 0.1: four standard deviations of 4,000 draws are 0.014.
  t.ok(Math.abs(shareOf('c') - 0.1 / 2.1) < 0.014)
  await clock.advance(20_000)
  t.ok(Math.abs(shareOf('c') - 1 / 3) < 0.03)
})

t.test('one that comes back from down or from a drain begins again', async (t) => {
  const { pool, rampOf, clock } = running()
  const a = pool.backends.get('a')!
  pool.setAdminState(a, 'draining')
  pool.setAdminState(a, 'active')
  t.equal(rampOf('a'), 0.1)
  await clock.advance(5_000)
  t.ok(rampOf('a') > 0.3)
  a.health = 'down'
  pool.setAdminState(a, 'active')
  t.equal(clock.pending, 0, 'nothing grows while it is away')
  a.health = 'up'
  pool.setAdminState(a, 'active')
  t.equal(rampOf('a'), 0.1)
  pool.stop()
  t.equal(clock.pending, 0)
  t.equal(rampOf('a'), 1)
})

t.test('so does one that comes back from an ejection; while it is out it is nobody to lean on', async (t) => {
  const { pool, rampOf, clock } = running({ health: { ...DEFAULT_HEALTH, probe: async () => {} } })
  const [a, b] = [...pool.backends.values()] as [Backend, Backend]
  for (let i = 0; i < 5; i++)
    pool.leases.take(a, { work: 'upgrade' }).release(new WslbError('WSLB_CONNECT_FAILED', 'refused'))
  await clock.advance(1_000)
  t.not(a.ejectedUntil, undefined)
  pool.setAdminState(b, 'draining')
  pool.setAdminState(b, 'active')
  t.match({ ramp: rampOf('b'), rate: b.startRate }, { ramp: 0.1, rate: Infinity })
  await clock.advance(10_000)
  t.equal(a.ejectedUntil, undefined)
  t.ok(rampOf('a') < 0.2, `${rampOf('a')}`)
  await clock.advance(20_000)
  t.equal(rampOf('a'), 1)
  pool.stop()
  t.equal(clock.pending, 0)
})

t.test(
  'meanwhile it takes its share of new WebSockets, the others the rest; requests do not count',
  async (t) => {
    const { join, upgrades, pool, clock } = running({ policy: p2c() })
    for (const id of ['a', 'b']) for (let i = 0; i < 500; i++) pool.leases.take(pool.backends.get(id)!, {})
    join({ c: {} })
    // Empty beside the others: it would get whatever it is drawn for, two thirds of all.
    const taken: number[] = []
    for (let second = 0; second < 20; second++) {
      let count = 0
      for (let part = 0; part < 50; part++) {
        count += upgrades(2).filter((id) => id === 'c').length
        await clock.advance(20)
      }
      taken.push(count)
    }
    for (const [second, count] of taken.entries()) {
      const most = 10 * (0.1 + (0.9 * (second + 1)) / 20)
      t.ok(count <= Math.ceil(most) + 1, `second ${second}: ${count} of ${most}`)
    }
    t.ok(taken.at(-1)! >= 7, taken.join())
    t.ok(upgrades(100).filter((id) => id === 'c').length > 40, 'and then it is like the others')
  },
)

t.test('nobody is refused, or made to wait, because of it', async (t) => {
  const { join, upgrades, pool } = running()
  join({ c: {} })
  pool.setAdminState(pool.backends.get('a')!, 'draining')
  pool.setAdminState(pool.backends.get('b')!, 'draining')
  t.equal(upgrades(200).filter((id) => id === 'c').length, 200, 'all of them start')
  const full = running({}, { a: { maxConnections: 5 } })
  full.join({ c: {} })
  const ids = full.upgrades(50)
  t.equal(ids.filter((id) => id === 'a').length, 5)
  t.equal(ids.filter((id) => id === 'c').length, 45, 'the other one is full')
  const busy = running({}, { a: { maxHandshakesPerSecond: 5 } })
  busy.join({ c: {} })
  t.equal(busy.upgrades(50).length, 50, 'the other one has as many as it takes')
})

t.test('its own limit is still its own', async (t) => {
  const { join, pool } = running({}, { a: {} })
  join({ c: { maxHandshakesPerSecond: 4 } })
  t.ok(Math.abs(pool.backends.get('c')!.startRate - 0.4) < 1e-9)
  pool.setAdminState(pool.backends.get('a')!, 'disabled')
  pool.acquire(plainRequest(), undefined, 0)
  t.throws(() => pool.acquire(plainRequest(), undefined, 0), { code: 'WSLB_TOO_MANY_HANDSHAKES' })
})

t.test('the first list of a pool that was empty has nobody to be compared with', async (t) => {
  const { join, rampOf, clock } = running({}, {})
  join({ a: {}, b: {} })
  t.equal(rampOf('a'), 1)
  t.equal(clock.pending, 0)
})

t.test('a reload without it ends it; who leaves takes nothing along', async (t) => {
  const { join, pool, rampOf, clock } = running()
  join({ c: {} })
  pool.reconfigure(spec({ a: {}, b: {}, c: {} }))
  t.equal(rampOf('c'), 1)
  t.equal(clock.pending, 0)
  const leaving = running()
  leaving.join({ c: {} })
  leaving.join({})
  await leaving.clock.advance(1_000)
  t.equal(leaving.clock.pending, 0)
})

t.test('a client that belongs to it comes to it, however many there are', async (t) => {
  const { join, pool } = running({ sticky: [hashBy(query('room'))] })
  join({ c: {} })
  const request = (room: number) => plainRequest({ url: `/?room=${room}` })
  const owners = (rooms: readonly number[]) =>
    rooms.map((room) => pool.acquire(request(room), undefined, 0).backend.id)
  const rooms = Array.from({ length: 300 }, (_, room) => room)
  const [first, again] = [owners(rooms), owners(rooms)]
  t.strictSame(again, first)
  const share = first.filter((id) => id === 'c').length
  t.ok(share > 70 && share < 130, `${share} of 300 rooms are on the new one at once`)
})
