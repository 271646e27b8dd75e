import t from 'tap'
import { type Backend, type BackendSettings } from '../../lib/core/backend.ts'
import { type BalancerEvents, Events } from '../../lib/core/events.ts'
import { Pool } from '../../lib/pool/pool.ts'
import { REBALANCE_DEFAULTS, type RebalanceOptions } from '../../lib/pool/rebalance-options.ts'
import { Rebalances } from '../../lib/proxy/rebalance.ts'
import { type Tunnel } from '../../lib/proxy/tunnel.ts'
import { Tunnels } from '../../lib/proxy/tunnels.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { spec as specOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

interface Paper {
  idle?: number
  age?: number
  pinned?: boolean
  /** Milliseconds that the closing handshake takes. */
  closing?: number
}

/** A pool with tunnels on paper, which note when they are closed. */
function start(own: Record<string, Partial<BackendSettings>>, rebalance?: Partial<RebalanceOptions>) {
  const clock = new ManualClock()
  const random = seededRandom(3)
  const events = new Events((error) => t.error(error))
  const tunnels = new Tunnels()
  const spec = specOf(own, { rebalance: rebalance && { ...REBALANCE_DEFAULTS, ...rebalance } })
  const dial = () => Promise.reject(new Error('unused'))
  const pool = new Pool(spec, {
    events,
    clock,
    random,
    dial,
    tunnelsOf: (backend) => tunnels.of(backend),
    onChange: () => {},
  })
  const rebalances = new Rebalances({ clock, random, events, tunnels, code: () => 1012 })
  const backends = Object.fromEntries(pool.backends) as Record<string, Backend>
  const closed: { at: number; tunnel: Tunnel }[] = []
  const told: [string, object][] = []
  const tell = (name: 'rebalance:start' | 'rebalance:done') =>
    events.on(name, (event: BalancerEvents[typeof name]) => void told.push([name, event]))
  tell('rebalance:start')
  tell('rebalance:done')

  const open = (backend: Backend, count: number, paper: Paper = {}) => {
    const { idle = 0, age = 3_600_000, pinned = false, closing = 50 } = paper
    return Array.from({ length: count }, () => {
      const request = Object.assign(plainRequest(), { pinned })
      const paper = { id: tunnels.nextId(), backend, idle, age, request, ending: false }
      const close = () => {
        paper.ending = true
        closed.push({ at: clock.now(), tunnel })
        clock.schedule(closing, () => tunnels.delete(tunnel))
      }
      const tunnel = Object.assign(paper, { close }) as unknown as Tunnel & { ending: boolean }
      tunnels.add(tunnel)
      return tunnel
    })
  }
  const counts = () => Object.values(backends).map((backend) => backend.tunnels)
  return { clock, pool, spec, rebalances, backends, closed, told, open, counts }
}

t.test('down to the share and no further, evenly, at the pace of the budget', async (t) => {
  const { clock, pool, rebalances, backends, closed, told, open, counts } = start({ a: {}, b: {}, c: {} })
  open(backends.a!, 50)
  open(backends.b!, 40)
  const done = rebalances.run(pool)
  await clock.advance(20_000)
  const second = rebalances.run(pool)
  await clock.advance(60_000)
  t.same(await done, { closed: 30 })
  t.same(await second, { closed: 30 }, 'a second call joined')
  t.same(counts(), [30, 30, 0])
  t.equal(closed.length, 30)
  const seconds = closed.map(({ at }) => Math.floor(at / 1_000))
  t.same(
    seconds,
    Array.from({ length: 30 }, (_, i) => i),
    'one a second, by default',
  )
  t.ok(new Set(closed.map(({ at }) => Math.round(at) % 1_000)).size > 20, 'and not on a beat')
  t.same(told, [
    ['rebalance:start', { pool: 'default', surplus: 30 }],
    ['rebalance:done', { pool: 'default', closed: 30 }],
  ])
  t.equal(clock.pending, 0)
})

t.test('a closing handshake that takes long counts as closed', async (t) => {
  const { clock, pool, rebalances, backends, closed, open, counts } = start({ a: {}, b: {}, c: {} })
  open(backends.a!, 50, { closing: 60_000 })
  open(backends.b!, 40)
  void rebalances.run(pool)
  while (closed.length < 30) await clock.advance(50)
  t.same(await rebalances.run(pool), { closed: 0 }, 'in the next run too')
  await clock.advance(120_000)
  t.same(counts(), [30, 30, 0])
})

t.test('the budget counts over runs', async (t) => {
  const { clock, pool, rebalances, backends, closed, open } = start({ a: {}, b: {} })
  open(backends.a!, 4)
  for (let i = 0; i < 3; i++) {
    const done = rebalances.run(pool)
    while (closed.length < 2 * (i + 1)) await clock.advance(10)
    t.same(await done, { closed: 2 })
    open(backends.a!, 2)
    await clock.advance(60)
    // Whoever was expected has come somewhere else.
    backends.b!.tunnels = 0
    while (pool.steering.away > 0) {
      const lease = pool.acquire(plainRequest({ headers: { upgrade: 'websocket' } }))
      lease.release()
    }
  }
  t.same(
    closed.map(({ at }) => Math.floor(at / 1_000)),
    [0, 1, 2, 3, 4, 5],
  )
})

t.test('who has come back without being known is counted twice for half a minute: it waits', async (t) => {
  const { clock, pool, rebalances, backends, closed, open, counts } = start({ a: {}, b: {}, c: {} })
  open(backends.a!, 15)
  open(backends.b!, 9)
  const done = rebalances.run(pool)
  while (closed.length < 5) await clock.advance(100)
  open(backends.c!, 5)
  await clock.advance(20_000)
  t.equal(closed.length, 5)
  await clock.advance(20_000)
  t.same(await done, { closed: 8 })
  t.same(counts(), [8, 8, 5])
  t.equal(clock.pending, 0)
})

t.test('by weight, the idle ones first, never who is pinned, young or closing', async (t) => {
  const { clock, pool, rebalances, backends, closed, open, counts } = start({ a: { weight: 2 }, b: {} })
  open(backends.a!, 2, { pinned: true, idle: 9_000 })
  open(backends.a!, 2, { age: 59_999, idle: 9_000 })
  const busy = open(backends.a!, 10, { idle: 10 })
  const idle = open(backends.a!, 2, { idle: 5_000 })
  const [gone, idlest] = open(backends.a!, 2, { idle: 8_000 })
  gone!.ending = true
  void rebalances.run(pool)
  await clock.advance(60_000)
  t.same(counts(), [12, 0])
  t.same(
    closed.slice(0, 3).map(({ tunnel }) => tunnel.id),
    [idlest!, ...idle].map(({ id }) => id),
  )
  t.ok(closed.slice(3).every(({ tunnel }) => busy.includes(tunnel)))
  t.equal(closed.length, 6)
})

t.test('with nobody who may be closed, or no room anywhere, it is over', async (t) => {
  const pinned = start({ a: {}, b: {} })
  pinned.open(pinned.backends.a!, 9, { pinned: true })
  pinned.open(pinned.backends.a!, 1)
  const done = pinned.rebalances.run(pinned.pool)
  await pinned.clock.advance(10_000)
  t.same(await done, { closed: 1 })

  const small = start({ a: {}, b: { maxConnections: 3 } })
  small.open(small.backends.a!, 40)
  const all = small.rebalances.run(small.pool)
  await small.clock.advance(10_000)
  t.same(await all, { closed: 3 })

  const even = start({ a: {}, b: {} })
  even.open(even.backends.a!, 5)
  even.open(even.backends.b!, 4)
  t.same(await even.rebalances.run(even.pool), { closed: 0 })
  t.same(even.told, [], 'nothing done, nothing told')
  t.equal(even.clock.pending, 0)
})

t.test('who drains, is down or disabled is left alone', async (t) => {
  const { clock, pool, rebalances, backends, closed, open } = start({ a: {}, b: {}, c: {}, d: {} })
  for (const backend of [backends.a!, backends.b!, backends.c!]) open(backend, 20)
  backends.a!.adminState = 'draining'
  backends.b!.health = 'down'
  backends.c!.adminState = 'disabled'
  t.same(await rebalances.run(pool), { closed: 0 })
  t.equal(closed.length + clock.pending, 0)
})

t.test('by itself: it begins above the tolerance, and goes on to the share', async (t) => {
  const { clock, pool, rebalances, backends, closed, open, counts } = start({ a: {}, b: {} }, {})
  t.equal(clock.pending, 0)
  open(backends.a!, 110)
  open(backends.b!, 90)
  rebalances.watch(pool)
  t.equal(clock.pending, 1)
  await clock.advance(60_000)
  t.equal(closed.length, 0, '110 is 10 % above 100')
  open(backends.a!, 3)
  await clock.advance(60_000)
  t.same(counts(), [102, 90], 'half of 203, in whole tunnels; those that were closed are expected back')
  t.equal(closed.length, 11)
  t.equal(clock.pending, 1)
})

t.test('while nobody comes back it waits longer each time', async (t) => {
  const { clock, pool, rebalances, backends, told, open, closed } = start(
    { a: {}, b: {} },
    { perMinute: 6_000 },
  )
  open(backends.a!, 100)
  rebalances.watch(pool)
  const starts: number[] = []
  for (let second = 0; second < 400; second++) {
    const before = told.length
    await clock.advance(1_000)
    if (told.length > before && told.at(-1)![0] === 'rebalance:done') starts.push(second)
  }
  t.same(starts, [5, 35, 95, 215], 'after 30, 60, 120 seconds')
  t.equal(closed.length, 50 + 25 + 12 + 6)
})

t.test('timers: none without the option, none without tunnels, none after the end', async (t) => {
  const off = start({ a: {}, b: {} })
  off.open(off.backends.a!, 10)
  off.rebalances.watch(off.pool)
  t.equal(off.clock.pending, 0)

  const { clock, pool, spec, rebalances, backends, open, closed } = start({ a: {}, b: {} }, { minAge: 0 })
  const tunnels = open(backends.a!, 1)
  rebalances.watch(pool)
  rebalances.watch(pool)
  t.equal(clock.pending, 1, 'one a pool')
  tunnels[0]!.close('normal', { code: 1000, reason: '' })
  await clock.advance(10_000)
  t.equal(clock.pending, 0, 'without tunnels')

  closed.length = 0
  open(backends.a!, 10)
  rebalances.watch(pool)
  await clock.advance(7_000)
  t.ok(closed.length > 0)
  pool.reconfigure({ ...spec, rebalance: undefined })
  rebalances.reconfigure([pool])
  await clock.advance(100)
  t.equal(clock.pending, 0, 'switched off in the middle')

  const manual = rebalances.run(pool)
  rebalances.reconfigure([pool])
  t.equal(clock.pending, 1, 'what was asked for goes on')
  pool.reconfigure({ ...spec, backends: [] })
  rebalances.reconfigure([])
  t.match(await manual, { closed: 0 }, 'the pool has left')
  t.equal(clock.pending, 0)

  pool.reconfigure(spec)
  rebalances.reconfigure([pool])
  t.equal(clock.pending, 1, 'switched on again')
  rebalances.stop()
  rebalances.watch(pool)
  t.equal(clock.pending, 0)
})
