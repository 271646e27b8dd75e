import { once } from 'node:events'
import { type IncomingMessage, createServer } from 'node:http'
import t from 'tap'
import { WebSocket } from 'ws'
import { systemClock } from '../../lib/core/clock.ts'
import { deadUrl, wsBackend } from '../support/backends.ts'
import { SPEED, type Scope, startBalancer } from '../support/balancer.ts'
import { ask, rawClient, upgradeHead, wsClient } from '../support/clients.ts'
import { FastClock } from '../support/clock.ts'
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

t.test('after a mass close nobody gets more than it takes, and everybody gets in', async (t) => {
  const perSecond = 50
  const backends = await Promise.all(
    ['blue', 'green'].map(async (id) => {
      const arrivals: number[] = []
      const backend = await wsBackend(t, () => arrivals.push(performance.now()))
      return { spec: spec({ id, url: backend.url }, rate(perSecond)), arrivals }
    }),
  )
  const { balancer, url } = await startBalancer(
    t,
    {
      ...base,
      backends: backends.map(({ spec }) => spec),
      admission: { maxWait: '10s' },
    },
    real,
  )
  const startedAt = performance.now()
  const clients = await Promise.all(Array.from({ length: 200 }, () => wsClient(t, url)))
  const took = performance.now() - startedAt
  for (const { arrivals } of backends) {
    t.equal(arrivals.length, 100, 'the crowd is shared')
    // From the beginning: a late arrival can only make it fewer.
    const early = arrivals.filter((at, i) => i + 1 > perSecond * ((at - startedAt) / 1_000 + 1))
    t.same(early, [], "a second's worth, then one after the other")
  }
  t.ok(took > 950, `the last waited for its turn: ${Math.round(took)} ms`)
  t.match(balancer.snapshot().backends, [{ load: 100 }, { load: 100 }])
  await Promise.all(clients.map(close))
})

t.test('a client that belongs to a backend waits for its turn there', async (t) => {
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
  t.ok(took > 1_900, `the third had its turn after two seconds: ${Math.round(took)} ms`)
  await Promise.all(clients.map(close))
})

t.test('who belongs to nobody goes where it has not to wait', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const { balancer, url } = await startBalancer(t, { backends: [spec(blue, rate(2)), spec(green)] }, slow)
  const clients = await Promise.all(Array.from({ length: 6 }, () => wsClient(t, url)))
  t.match(balancer.snapshot().backends, [{ tunnels: 2 }, { tunnels: 4 }])
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
  for (let i = 0; i < 5; i++) t.match(await ask(url), { status: 200 }, 'requests take no turn')
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

t.test('an upgrade that goes elsewhere after a failure takes a turn there', async (t) => {
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

t.test('a client that leaves while it waits leaves nothing behind, and its turn to the next', async (t) => {
  const blue = await named(t, 'blue')
  const { balancer, url, port, next } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1))],
      admission: { maxWait: '1500ms' },
    },
    real,
  )
  const load = () => balancer.snapshot().backends[0]!.load
  const clients = [await wsClient(t, url)]
  const rejected = next('upgrade:reject')
  const leaver = await knock(t, port)
  await until(() => load() === 2, 'it to wait')
  leaver.reset()
  t.match(await rejected, { attempts: 1, error: { code: 'WSLB_CLIENT_GONE' } })
  t.equal(load(), 1)
  clients.push(await wsClient(t, url))
  t.equal(blue.total, 2, 'the one that left was never dialled for')
  await Promise.all(clients.map(close))
})

t.test('a drain sends those that wait elsewhere, when their turn comes', async (t) => {
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
  await until(() => balancer.snapshot().backends[0]!.load === 2, 'it to wait')
  balancer.restore('green')
  const opened = next('tunnel:open')
  const drained = balancer.drain('blue', { over: 0 })
  t.match(await opened, { backend: 'green', attempts: 2 })
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
  await until(() => balancer.snapshot().backends[0]!.load === 3, 'both to wait')
  const durations: number[] = []
  balancer.on('upgrade:reject', ({ duration, error }) => {
    if (error?.code === 'WSLB_CLOSED' || error?.code === 'WSLB_NO_BACKEND') durations.push(duration)
  })
  await balancer.drain('blue', { over: 0, deadline: 1 })
  await Promise.all(waiting.map(({ closed }) => closed))
  t.equal(durations.length, 2)
  const longest = Math.max(...durations)
  t.ok(longest < 900, `the next turn was a second away, ${Math.round(longest)} ms were waited`)
  for (const { received } of waiting) t.match(received, /^HTTP\/1\.1 503 [^]*Retry-After: \d/)
  t.equal(blue.total, 1)
})

t.test('a balancer that closes lets nobody in that waits', async (t) => {
  const blue = await named(t, 'blue')
  const { balancer, url, port, next } = await startBalancer(
    t,
    {
      backends: [spec(blue, rate(1))],
      admission: { maxWait: '60s' },
    },
    real,
  )
  const first = await wsClient(t, url)
  const waiting = await knock(t, port)
  await until(() => balancer.snapshot().backends[0]!.load === 2, 'it to wait')
  const rejected = next('upgrade:reject')
  const closing = balancer.close({ drain: '60s' })
  await waiting.has('HTTP/1.1 503 ')
  t.match(waiting.received, 'WSLB_CLOSED')
  t.match(await rejected, { error: { code: 'WSLB_CLOSED' } })
  first.close()
  waiting.socket.end()
  await closing
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
  await until(() => balancer.snapshot().backends[0]!.load === 2, 'one to wait')
  const rejected = next('upgrade:reject')
  await balancer.close()
  t.match(await rejected, { error: { code: 'WSLB_CLIENT_GONE' } })
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
  const clients = [await wsClient(t, url)]
  const refused = () => rejection(wsClient(t, url))
  t.match(await refused(), { message: /503/ })
  await balancer.reload(config(rate(1), 2_000))
  clients.push(await wsClient(t, url))
  await balancer.reload(config({}))
  for (let i = 0; i < 5; i++) clients.push(await wsClient(t, url))
  const { kept, changed } = await balancer.reload(config(rate(1)))
  t.same({ kept, changed }, { kept: [], changed: ['blue'] }, 'the same backend')
  t.equal(balancer.snapshot().backends[0]!.tunnels, 7)
  await Promise.all(clients.map(close))
})

t.test('pick() takes a turn for an upgrade, and does not wait', async (t) => {
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
