import { once } from 'node:events'
import { type IncomingMessage, createServer } from 'node:http'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Balancer } from '../../lib/balancer.ts'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { deadUrl, wsBackend } from '../support/backends.ts'
import { SPEED, type Scope, startBalancer } from '../support/balancer.ts'
import { ask, rawClient, upgradeHead, wsClient } from '../support/clients.ts'
import { FastClock, ManualClock } from '../support/clock.ts'
import { listen } from '../support/embedding.ts'
import { base, close, named, rejection, spec } from '../support/reload.ts'
import { until } from '../support/until.ts'

// New WebSockets come no faster than a backend takes them.

/** A second of the balancer is ten: what a test does within one is done in time, on a busy machine too. */
const slow = { clock: new FastClock(0.1) }
const real = { clock: systemClock }
const rate = (maxHandshakesPerSecond: number) => ({ maxHandshakesPerSecond })

/** A client that knocks and has not been answered. */
async function knock(t: Scope, port: number, fields: Record<string, string> = {}) {
  const client = await rawClient(t, port)
  client.send(upgradeHead(fields))
  return client
}

/** A backend that notes when a WebSocket has come to it, and the clock's time then. */
async function noting(t: Scope, id: string, perSecond: number, clock: Clock) {
  const arrivals: number[] = []
  const backend = await wsBackend(t, () => arrivals.push(clock.now()))
  return { spec: spec({ id, url: backend.url }, rate(perSecond)), arrivals }
}

const waitingAt = (balancer: Balancer) => balancer.snapshot().backends.map(({ waiting }) => waiting)
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

t.test('after a mass close nobody gets more than it takes, and everybody gets in', async (t) => {
  // Time stands still until who may come has come: no timer is late, so nothing is allowed for.
  const clock = new ManualClock()
  const perSecond = 50
  const backends = await Promise.all(['blue', 'green'].map((id) => noting(t, id, perSecond, clock)))
  const { balancer, url } = await startBalancer(
    t,
    {
      ...base,
      backends: backends.map(({ spec }) => spec),
      admission: { maxWait: '10s' },
    },
    { clock },
  )
  const knocking = Array.from({ length: 200 }, () => wsClient(t, url))
  const counted = () => sum(backends.map(({ arrivals }) => arrivals.length)) + sum(waitingAt(balancer))
  await until(() => counted() === 200, 'all to have come or to wait')
  t.match(balancer.snapshot().backends, [
    { load: 100, waiting: 95, maxHandshakesPerSecond: perSecond },
    { load: 100, waiting: 95, maxHandshakesPerSecond: perSecond },
  ])
  while (sum(waitingAt(balancer)) > 0) {
    await clock.advance(10)
    await until(() => counted() === 200, 'those whose token it was')
  }
  const clients = await Promise.all(knocking)
  for (const { arrivals } of backends) {
    t.equal(arrivals.length, 100, 'the crowd is shared')
    const fullest = Math.max(...arrivals.map((from) => inSecond(arrivals, from)))
    t.equal(fullest, perSecond + perSecond / 10, 'in no second more, in the fullest no less')
    t.equal(arrivals.at(-1), 1_900, "a tenth of a second's worth, then one each 20 ms")
  }
  t.match(balancer.snapshot().backends, [
    { load: 100, waiting: 0 },
    { load: 100, waiting: 0 },
  ])
  await Promise.all(clients.map(close))
})

/** How many came in the second that begins then, its end included. */
function inSecond(arrivals: readonly number[], from: number): number {
  return arrivals.filter((at) => at >= from && at <= from + 1_000).length
}

t.test('and so it is by the clock of the system', async (t) => {
  const perSecond = 100
  const { spec, arrivals } = await noting(t, 'blue', perSecond, systemClock)
  const { url } = await startBalancer(t, { ...base, backends: [spec], admission: { maxWait: '10s' } }, real)
  const startedAt = performance.now()
  const clients = await Promise.all(Array.from({ length: 60 }, () => wsClient(t, url)))
  const took = performance.now() - startedAt
  // From the beginning: a late arrival can only make it fewer. Node drops a timer's fraction of a millisecond.
  const allowed = (at: number) => perSecond * ((at - startedAt + 2) / 1_000 + 0.1)
  const early = arrivals.filter((at, i) => i + 1 > allowed(at))
  t.same(early, [], "a tenth of a second's worth, then one after the other")
  t.ok(took > 490, `the last waited for its token: ${Math.round(took)} ms`)
  await Promise.all(clients.map(close))
})

t.test('those that leave the queue make no crowd of those behind them', async (t) => {
  const clock = new ManualClock()
  const { spec, arrivals } = await noting(t, 'blue', 10, clock)
  const { balancer, url, port } = await startBalancer(
    t,
    { ...base, backends: [spec], admission: { maxWait: '10s' } },
    { clock },
  )
  const waiting = (count: number) => until(() => waitingAt(balancer)[0] === count, `${count} to wait`)
  const knocking = [wsClient(t, url)]
  await until(() => arrivals.length === 1, 'the first')
  const leavers = await Promise.all([knock(t, port), knock(t, port), knock(t, port)])
  await waiting(3)
  for (let i = 0; i < 3; i++) knocking.push(wsClient(t, url))
  await waiting(6)
  for (const leaver of leavers) leaver.reset()
  await waiting(3)
  for (let i = 0; i < 3; i++) knocking.push(wsClient(t, url))
  await waiting(6)
  while (arrivals.length < 7) {
    await clock.advance(100)
    await until(() => arrivals.length + sum(waitingAt(balancer)) === 7, 'those whose token it was')
  }
  t.same(arrivals, [0, 400, 500, 600, 700, 800, 900])
  await Promise.all((await Promise.all(knocking)).map(close))
})

t.test('a client that belongs to a backend waits for its token there', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const { url, next } = await startBalancer(t, {
    backends: [spec(blue, rate(1)), spec(green)],
    admission: { maxWait: '3s' },
  })
  const { headers } = await ask(url)
  const cookie = headers['set-cookie']![0]!.split(';')[0]!
  const startedAt = performance.now()
  const visits: string[] = []
  const clients: WebSocket[] = []
  for (let visit = 0; visit < 3; visit++) {
    const opened = next('tunnel:open')
    clients.push(await wsClient(t, url, [], { headers: { cookie } }))
    visits.push((await opened).backend)
  }
  const took = (performance.now() - startedAt) * SPEED
  t.same(visits, ['blue', 'blue', 'blue'])
  t.ok(took > 1_900, `the third had its token after two seconds: ${Math.round(took)} ms`)
  await Promise.all(clients.map(close))
})

t.test('who belongs to nobody goes where it has not to wait', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const { balancer, url } = await startBalancer(t, { backends: [spec(blue, rate(2)), spec(green)] }, slow)
  const clients = await Promise.all(Array.from({ length: 6 }, () => wsClient(t, url)))
  t.match(balancer.snapshot().backends, [
    { tunnels: 1, maxHandshakesPerSecond: 2 },
    { tunnels: 5, maxHandshakesPerSecond: null },
  ])
  await Promise.all(clients.map(close))
})

t.test('when all are busy: 503 with Retry-After, and requests are served all the same', async (t) => {
  const blue = await named(t, 'blue')
  const { url, port, next } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1))],
      admission: { maxWait: 0 },
    },
    slow,
  )
  for (let i = 0; i < 5; i++) t.match(await ask(url), { status: 200 }, 'requests take no token')
  const client = await wsClient(t, url)
  const rejected = next('upgrade:reject')
  const refused = await knock(t, port, { Accept: 'application/json', Origin: 'http://example.test' })
  await refused.closed
  t.match(refused.received, /^HTTP\/1\.1 503 Service Unavailable\r\n/)
  t.match(refused.received, /^Retry-After: 1\r$/m)
  t.match(refused.received, /"error":"WSLB_TOO_MANY_HANDSHAKES"/)
  t.match(await rejected, { status: 503, attempts: 0, error: { code: 'WSLB_TOO_MANY_HANDSHAKES' } })
  t.equal((await ask(url)).status, 200)
  await close(client)
})

t.test('an upgrade that fails here and there waits for maxWait in all, not each time', async (t) => {
  const clock = new ManualClock()
  const dead = async (id: string) => ({ id, url: await deadUrl(), ...rate(1) })
  const { balancer, port } = await startBalancer(
    t,
    { backends: [await dead('a'), await dead('b')], admission: { maxWait: '3s' } },
    { clock },
  )
  const durations: number[] = []
  balancer.on('upgrade:reject', ({ duration, error }) => {
    t.equal(error?.code, 'WSLB_CONNECT_FAILED')
    durations.push(duration)
  })
  const settled = (count: number) =>
    until(() => durations.length + sum(waitingAt(balancer)) === count, `${count} to wait or to have failed`)
  // The first takes the tokens that are there, the others come two by two: a second on, and a second later again.
  const clients = []
  for (let count = 1; count <= 5; count++) {
    clients.push(await knock(t, port))
    await settled(count)
  }
  while (durations.length < 5) {
    await clock.advance(1_000)
    await settled(5)
  }
  t.same(durations, [0, 2_000, 2_000, 3_000, 3_000])
  for (const { socket } of clients) socket.destroy()
})

t.test('an upgrade that goes elsewhere after a failure takes a token there', async (t) => {
  const green = await named(t, 'green')
  const { url, port, next } = await startBalancer(
    t,
    {
      backends: [{ id: 'dead', url: await deadUrl() }, spec(green, rate(1))],
      admission: { maxWait: 0 },
    },
    slow,
  )
  const client = await wsClient(t, url)
  const rejected = next('upgrade:reject')
  const refused = await knock(t, port)
  await refused.has('HTTP/1.1 502 ')
  t.match(await rejected, { attempts: 1, error: { code: 'WSLB_CONNECT_FAILED' } }, 'the failure says more')
  t.equal(green.total, 1)
  await close(client)
})

t.test('a client that leaves while it waits leaves nothing behind, and its token to the next', async (t) => {
  const blue = await named(t, 'blue')
  const { balancer, url, port, next } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1))],
      admission: { maxWait: '1500ms' },
    },
    real,
  )
  const clients = [await wsClient(t, url)]
  const rejected = next('upgrade:reject')
  const leaver = await knock(t, port)
  await until(() => waitingAt(balancer)[0] === 1, 'it to wait')
  t.match(balancer.snapshot().backends, [{ load: 2, tunnels: 1 }])
  leaver.reset()
  t.match(await rejected, { attempts: 1, error: { code: 'WSLB_CLIENT_GONE' } })
  t.match(balancer.snapshot().backends, [{ load: 1, tunnels: 1, waiting: 0 }])
  clients.push(await wsClient(t, url))
  t.equal(blue.total, 2, 'the one that left was never dialled for')
  await Promise.all(clients.map(close))
})

t.test('a drain sends those that wait elsewhere', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const { balancer, url, port, next } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1)), spec(green)],
      admission: { maxWait: '2s' },
    },
    real,
  )
  await balancer.drain('green')
  const first = await wsClient(t, url)
  const waiting = await knock(t, port)
  await until(() => waitingAt(balancer)[0] === 1, 'it to wait')
  t.equal(balancer.snapshot().backends[0]!.load, 2)
  balancer.restore('green')
  const opened = next('tunnel:open')
  const drained = balancer.drain('blue', { over: 0 })
  t.match(await opened, { backend: 'green', attempts: 2 })
  t.same(waitingAt(balancer), [0, 0])
  await drained
  t.equal(blue.total, 1)
  waiting.socket.destroy()
  if (first.readyState !== WebSocket.CLOSED) await once(first, 'close')
})

t.test('what is cut at the deadline of a drain does not wait any longer', async (t) => {
  const blue = await named(t, 'blue')
  const { balancer, url, port } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1))],
      admission: { maxWait: '60s' },
    },
    slow,
  )
  await wsClient(t, url)
  const waiting = await Promise.all([knock(t, port), knock(t, port)])
  await until(() => waitingAt(balancer)[0] === 2, 'both to wait')
  t.equal(balancer.snapshot().backends[0]!.load, 3)
  const durations: number[] = []
  balancer.on('upgrade:reject', ({ duration, error }) => {
    if (error?.code === 'WSLB_CLOSED' || error?.code === 'WSLB_NO_BACKEND') durations.push(duration)
  })
  await balancer.drain('blue', { over: 0, deadline: 1 })
  await Promise.all(waiting.map(({ closed }) => closed))
  t.equal(durations.length, 2)
  t.same(waitingAt(balancer), [0])
  const longest = Math.max(...durations)
  t.ok(longest < 900, `the next token was a second away, ${Math.round(longest)} ms were waited`)
  for (const { received } of waiting) t.match(received, /^HTTP\/1\.1 503 [^]*Retry-After: \d/)
  t.equal(blue.total, 1)
})

t.test('one that closes at once does not let them wait', async (t) => {
  const blue = await named(t, 'blue')
  const { balancer, port, next } = await startBalancer(
    t,
    { backends: [spec(blue, rate(1))], admission: { maxWait: '60s' } },
    slow,
  )
  const clients = await Promise.all([knock(t, port), knock(t, port)])
  await until(() => balancer.snapshot().backends[0]!.tunnels === 1, 'one to be let in')
  await until(() => waitingAt(balancer)[0] === 1, 'one to wait')
  t.equal(balancer.snapshot().backends[0]!.load, 2)
  const rejected = next('upgrade:reject')
  await balancer.close()
  t.match(await rejected, { error: { code: 'WSLB_CLOSED' } })
  t.same(waitingAt(balancer), [0])
  await Promise.all(clients.map(({ closed }) => closed))
  t.equal(blue.total, 1)
})

t.test('a reload changes the pace, and takes it away', async (t) => {
  const blue = await named(t, 'blue')
  const config = (more: object, maxWait = 0) => ({
    listen: base.listen,
    health: false as const,
    backends: [spec(blue, more)],
    admission: { maxWait },
  })
  const { balancer, url } = await startBalancer(t, config(rate(1)), real)
  const limit = () => balancer.snapshot().backends[0]!.maxHandshakesPerSecond
  t.equal(limit(), 1)
  const clients = [await wsClient(t, url)]
  const refused = () => rejection(wsClient(t, url))
  t.match(await refused(), { message: /503/ })
  await balancer.reload(config(rate(1), 2_000))
  clients.push(await wsClient(t, url))
  await balancer.reload(config({}))
  t.equal(limit(), null)
  for (let i = 0; i < 5; i++) clients.push(await wsClient(t, url))
  const { kept, changed } = await balancer.reload(config(rate(1)))
  t.same({ kept, changed }, { kept: [], changed: ['blue'] }, 'the same backend')
  t.equal(balancer.snapshot().backends[0]!.tunnels, 7)
  await Promise.all(clients.map(close))
})

t.test('pick() takes a token for an upgrade, and does not wait', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const { balancer } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1)), spec(green, rate(1))],
      sticky: false,
    },
    slow,
  )
  const messages: IncomingMessage[] = []
  const server = createServer((request, response) => void (messages.push(request), response.end()))
  server.on('upgrade', (request, socket) => void (messages.push(request), socket.destroy()))
  const address = await listen(t, server)
  await ask(`http://${address}`)
  await (
    await knock(t, Number(address.split(':')[1]))
  ).closed
  const [request, upgrade] = messages as [IncomingMessage, IncomingMessage]
  const choices = [upgrade, request, upgrade, request].map((message) => balancer.pick(message))
  t.same(
    choices.map(({ backend }) => backend.id),
    ['blue', 'blue', 'green', 'blue'],
  )
  t.throws(() => balancer.pick(upgrade), { code: 'WSLB_TOO_MANY_HANDSHAKES', retryAfter: 1 })
  choices.push(balancer.pick(request))
  for (const choice of choices) choice.release()
})

t.test(
  'who waits for a backend that leaves service goes elsewhere at once, and leaves no token taken',
  async (t) => {
    const clock = new ManualClock()
    const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
    const { balancer, url } = await startBalancer(
      t,
      {
        ...base,
        backends: [spec(blue, rate(1)), { ...spec(green), backup: true }],
        admission: { maxWait: '20s' },
      },
      { clock },
    )
    const first = await wsClient(t, url)
    const knocking = Array.from({ length: 5 }, () => wsClient(t, url))
    await until(() => waitingAt(balancer)[0] === 5, 'five to wait')
    // Whether it is back before anybody looks, or not.
    void balancer.drain('blue', { over: 0 })
    balancer.restore('blue')
    const elsewhere = await Promise.all(knocking)
    t.match(balancer.snapshot().backends, [{ load: 1, waiting: 0 }, { load: 5 }])
    const next = wsClient(t, url)
    await until(() => waitingAt(balancer)[0] === 1, 'one to wait')
    await clock.advance(1_000)
    const all = [first, ...elsewhere, await next]
    t.match(balancer.snapshot().backends, [{ load: 2 }, { load: 5 }], 'its turn is the next one')
    await Promise.all(all.map(close))
  },
)

t.test('who waits when the balancer stops is refused at once', async (t) => {
  const clock = new ManualClock()
  const blue = await named(t, 'blue')
  const { balancer, url, port, next } = await startBalancer(
    t,
    { ...base, backends: [spec(blue, rate(1))], admission: { maxWait: '20s' } },
    { clock },
  )
  const first = await wsClient(t, url)
  const waiting = await knock(t, port)
  await until(() => waitingAt(balancer)[0] === 1, 'one to wait')
  const rejected = next('upgrade:reject')
  const closed = balancer.close({ drain: '1m' })
  t.match(await rejected, { status: 503, error: { code: 'WSLB_CLOSED' } })
  await waiting.has('HTTP/1.1 503 ')
  await close(first)
  await Promise.all([waiting.closed, clock.advance(1_000)])
  await clock.advance(60_000)
  await closed
  t.equal(blue.total, 1)
})

t.test('a client that half-closes gives up its turn', async (t) => {
  const clock = new ManualClock()
  const blue = await named(t, 'blue')
  const { balancer, url, port, next } = await startBalancer(
    t,
    { ...base, backends: [spec(blue, rate(1))], admission: { maxWait: '20s' } },
    { clock },
  )
  const first = await wsClient(t, url)
  const leaver = await knock(t, port)
  await until(() => waitingAt(balancer)[0] === 1, 'one to wait')
  const rejected = next('upgrade:reject')
  leaver.socket.end()
  t.match(await rejected, { error: { code: 'WSLB_CLIENT_GONE' }, attempts: 1 })
  await leaver.closed
  const second = wsClient(t, url)
  await until(() => waitingAt(balancer)[0] === 1, 'another to wait')
  await clock.advance(1_000)
  await Promise.all([first, await second].map(close))
})
