import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Duration } from '../../lib/core/duration.ts'
import { type IncomingRequest } from '../../lib/core/request.ts'
import { type Config, type PoolConfig } from '../../lib/config/config.ts'
import { wsBackend } from '../support/backends.ts'
import { type Scope, type TestBalancer, startBalancer, inTurn } from '../support/balancer.ts'
import { ManualClock } from '../support/clock.ts'
import { rejection } from '../support/reload.ts'
import { until } from '../support/until.ts'

interface Closed {
  readonly code: number
  readonly reason: string
}

/** A browser with one WebSocket: it keeps its cookie, and comes back a while after a close. */
class Returning {
  readonly closes: Closed[] = []
  readonly #url: string
  #cookie: string | undefined
  #socket!: WebSocket
  #stopped = false
  /** It has heard a Close, and is not back yet. */
  isAway = false

  constructor(t: Scope, url: string, cookie?: string) {
    this.#url = url.replace('http', 'ws')
    this.#cookie = cookie
    t.teardown(() => this.stop())
  }

  async connect(): Promise<this> {
    const headers = this.#cookie ? { cookie: this.#cookie } : {}
    const socket = (this.#socket = new WebSocket(this.#url, { headers }))
    socket.on('upgrade', ({ headers }) => {
      this.#cookie = headers['set-cookie']?.[0]?.split(';')[0] ?? this.#cookie
    })
    socket.on('close', (code, reason) => {
      if (this.#stopped) return
      this.isAway = true
      this.closes.push({ code, reason: String(reason) })
      setTimeout(() => void (this.#stopped || this.connect().catch(this.#onError)), 10)
    })
    await once(socket, 'open')
    this.isAway = false
    return this
  }

  readonly #onError = (error: unknown) => {
    if (!this.#stopped) throw error
  }

  /** By itself, as when a page is loaded again. */
  async reconnect(): Promise<void> {
    this.stop()
    await once(this.#socket, 'close')
    this.#stopped = false
    await this.connect()
  }

  stop(): void {
    this.#stopped = true
    this.#socket.close()
  }
}

function connectAll(t: Scope, url: string, count: number): Promise<Returning[]> {
  return Promise.all(Array.from({ length: count }, () => new Returning(t, url).connect()))
}

const backendsOf = async (t: Scope, ...ids: string[]) =>
  Promise.all(ids.map(async (id) => ({ id, url: (await wsBackend(t)).url })))

function tunnelsOf({ balancer }: TestBalancer): number[] {
  return balancer.snapshot().backends.map(({ tunnels }) => tunnels)
}

/** Lets time pass until then, but not while somebody is on the way back: however slow the machine, nobody is late. */
async function passing<T>(clock: ManualClock, clients: readonly Returning[], done: Promise<T>): Promise<T> {
  let isDone = false
  void done.then(() => (isDone = true))
  while (!isDone) {
    await clock.advance(10)
    await until(() => clients.every(({ isAway }) => !isAway), 'everybody to be back')
  }
  return done
}

/** Settles when so many have been closed in all, and everybody is back. */
async function allBack(tested: TestBalancer, clients: readonly Returning[], closed: number): Promise<void> {
  const heard = () => total(clients.map(({ closes }) => closes.length))
  const isOver = () => heard() === closed && clients.every(({ isAway }) => !isAway)
  await until(() => isOver() && total(tunnelsOf(tested)) === clients.length, 'everybody to be back')
}

const total = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0)

/** The config of a test, the same for the start and for the reloads. */
function configOf(backends: PoolConfig['backends'], more: Config = {}): Config {
  return { listen: { port: 0, host: '127.0.0.1' }, health: false, balance: inTurn(), backends, ...more }
}

for (const [name, more] of Object.entries({
  'round-robin and the cookie': {},
  'random without stickiness': { balance: 'random', sticky: false },
  'least-connections': { balance: 'least-connections' },
} satisfies Record<string, Config>)) {
  t.test(`${name}: 90 on two backends are 30 each after a third was added`, async (t) => {
    const [a, b, c] = await backendsOf(t, 'a', 'b', 'c')
    const rebalance = { perMinute: 1_200, minAge: 0 }
    const even = { ...more, balance: inTurn() } as const
    const clock = new ManualClock()
    const tested = await startBalancer(t, configOf([a!, b!], even), { clock })
    const { balancer, url, next } = tested
    const clients = await connectAll(t, url, 90)
    t.same(tunnelsOf(tested), [45, 45])

    await balancer.reload(configOf([a!, b!, c!], more))
    t.same(tunnelsOf(tested), [45, 45, 0])
    await balancer.reload(configOf([a!, b!, c!], { ...more, rebalance: { ...rebalance, tolerance: 1e9 } }))
    const lowest = [90, 90]
    balancer.on('tunnel:close', ({ cause }) => {
      if (cause !== 'rebalance') return
      const [a, b] = tunnelsOf(tested)
      lowest[0] = Math.min(lowest[0]!, a!)
      lowest[1] = Math.min(lowest[1]!, b!)
    })
    const started = next('rebalance:start')
    const done = next('rebalance:done')
    const startedAt = clock.now()
    t.same(await passing(clock, clients, balancer.rebalance()), { closed: 30 })
    const took = clock.now() - startedAt
    t.same(
      [await started, await done],
      [
        { pool: 'default', surplus: 30 },
        { pool: 'default', closed: 30 },
      ],
    )
    await allBack(tested, clients, 30)
    const counts = tunnelsOf(tested)
    t.ok(
      counts.every((count) => Math.abs(count - 30) <= 1),
      `30/30/30: ${counts.join('/')}`,
    )
    t.ok(
      lowest.every((count) => count >= 30),
      `never below the mean: ${lowest.join('/')}`,
    )
    // 30 slots of 50 ms, the last one up to its random moment.
    t.ok(took >= 29 * 50 && took <= 30 * 50, `the closes took ${took} ms`)
    const closes = clients.flatMap(({ closes }) => closes)
    t.equal(closes.length, 30)
    t.ok(
      clients.every(({ closes }) => closes.length <= 1),
      'nobody was closed twice',
    )
    t.ok(closes.every(({ code, reason }) => code === 1012 && reason === 'rebalance'))
  })
}

t.test('by itself after a backend is added; then no more, though clients come and go', async (t) => {
  const [a, b, c] = await backendsOf(t, 'a', 'b', 'c')
  const rebalance = { perMinute: 6_000, minAge: 0 }
  const clock = new ManualClock()
  const tested = await startBalancer(t, configOf([a!, b!], { rebalance, drain: { code: 4001 } }), { clock })
  const { balancer, url, next } = tested
  const clients = await connectAll(t, url, 90)
  await balancer.reload(configOf([a!, b!, c!], { rebalance, drain: { code: 4001 } }))
  t.same(await passing(clock, clients, next('rebalance:done')), { pool: 'default', closed: 30 })
  await allBack(tested, clients, 30)
  t.same(tunnelsOf(tested), [30, 30, 30])
  const closes = () => clients.flatMap(({ closes }) => closes)
  t.ok(closes().every(({ code, reason }) => code === 4001 && reason === 'rebalance'))

  // A rest of 30 s, and many looks after it.
  for (let round = 0; round < 40; round++) {
    if (round % 6 === 0) clients.push(await new Returning(t, url).connect())
    await clients[round]!.reconnect()
    await until(() => total(tunnelsOf(tested)) === clients.length, 'its old tunnel to end')
    await clock.advance(1_000)
  }
  t.equal(closes().length, 30, 'nobody was closed since')
  const counts = tunnelsOf(tested)
  t.ok(Math.max(...counts) - Math.min(...counts) <= 2, counts.join('/'))
})

t.test('who is pinned by a hook, or young, stays', async (t) => {
  const [a, b] = await backendsOf(t, 'a', 'b')
  const hooks = {
    onUpgrade: (request: IncomingRequest) => void (request.pinned = request.query.has('pinned')),
  }
  const config = (backends: PoolConfig['backends'], minAge: Duration) =>
    configOf(backends, { hooks, rebalance: { minAge, perMinute: 60_000, tolerance: 1e9 } })
  const clock = new ManualClock()
  const tested = await startBalancer(t, config([a!], 0), { clock })
  const { balancer, url } = tested
  const pinned = await connectAll(t, `${url}?pinned`, 8)
  const others = await connectAll(t, url, 4)
  t.same(
    balancer.snapshot().tunnels.map(({ pinned }) => pinned),
    [...pinned.map(() => true), ...others.map(() => false)],
  )
  await balancer.reload(config([a!, b!], '1h'))
  t.same(await passing(clock, others, balancer.rebalance()), { closed: 0 }, 'all are too young')
  await balancer.reload(config([a!, b!], 0))
  t.same(await passing(clock, others, balancer.rebalance()), { closed: 4 })
  await allBack(tested, [...pinned, ...others], 4)
  t.same(tunnelsOf(tested), [8, 4])
  t.ok(pinned.every(({ closes }) => closes.length === 0))
})

t.test('rebalance(pool): names, joining, the end of the balancer and of the pool', async (t) => {
  const [a, b] = await backendsOf(t, 'a', 'b')
  const pools = { chat: { backends: [a!], health: false, balance: inTurn() } } as const
  const config = { listen: { port: 0, host: '127.0.0.1' }, pools, routes: [{ pool: 'chat' }] }
  const tested = await startBalancer(t, {
    ...config,
    pools: { ...pools, other: { backends: [], health: false } },
  })
  const { balancer, url } = tested
  const unknown = await rejection(balancer.rebalance('caht'))
  t.match(unknown, { code: 'WSLB_UNKNOWN_BACKEND', message: 'no pool "caht"; there are: chat, other' })
  t.same(await balancer.rebalance(), { closed: 0 })

  await connectAll(t, url, 10)
  const both = { ...pools.chat, backends: [a!, b!], rebalance: { minAge: 0, perMinute: 1, tolerance: 1e9 } }
  await balancer.reload({ ...config, pools: { chat: both } })
  const left = balancer.rebalance('chat')
  await balancer.reload({ backends: [a!], health: false, listen: config.listen, drain: { over: 0 } })
  t.match(await left, { closed: Number }, 'the pool has left')

  const many = await startBalancer(t, { ...config, pools: { chat: { ...both, backends: [a!] } } })
  const clients = await connectAll(t, many.url, 4)
  await many.balancer.reload({ ...config, pools: { chat: both } })
  const cut = many.balancer.rebalance()
  for (const client of clients) client.stop()
  await many.balancer.close()
  t.same(await cut, { closed: 0 })
  t.match(await rejection(many.balancer.rebalance()), { code: 'WSLB_CLOSED' })
})
