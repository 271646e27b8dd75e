import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { type Balancer } from '../../lib/balancer.ts'
import { type Config } from '../../lib/config/config.ts'
import { query } from '../../lib/core/request-key.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { socketIoApp } from '../support/apps.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { freePort } from '../support/free-port.ts'
import { ask, rawClient, upgradeHead, wsClient } from '../support/clients.ts'
import { ManualClock } from '../support/clock.ts'
import { base, close, named, options, rejection, said, spec } from '../support/reload.ts'
import { type Client, connect } from '../support/socket-io.ts'
import { until } from '../support/until.ts'

// What becomes of clients whose own backend cannot serve.

/** Everybody belongs to `blue`, and may belong to nobody. */
const toBlue: StickyStrategy = {
  name: 'to-blue',
  find: ({ headers }, backends) => (headers['x-stranger'] ? undefined : backends.get('blue')),
}

const waitingAt = (balancer: Balancer) =>
  balancer.snapshot().backends.reduce((sum, { waiting }) => sum + waiting, 0)

async function pair(t: Scope, more: Partial<Config>, clock = new ManualClock(), blueMore: object = {}) {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const config: Config = { ...base, backends: [spec(blue, blueMore), spec(green)], sticky: toBlue, ...more }
  return { blue, green, config, clock, ...(await startBalancer(t, config, { clock })) }
}

t.test('held while its backend is draining, a client comes to it when it is restored', async (t) => {
  const { balancer, url, green } = await pair(t, { onLost: { wait: '10s' } })
  await balancer.drain('blue')
  const opening = wsClient(t, url)
  const asking = ask(url)
  await until(() => waitingAt(balancer) === 2, 'both to be held')
  t.match(balancer.snapshot().backends, [{ load: 0, waiting: 2 }, { waiting: 0 }], 'they are no load')
  t.equal(
    (await ask(url, { headers: { 'x-stranger': '1' } })).body,
    'green',
    'who belongs to nobody does not wait',
  )
  const opened = new Promise<{ backend: string; attempts: number }>((resolve) =>
    balancer.once('tunnel:open', resolve),
  )
  balancer.restore('blue')
  const client = await opening
  t.match(await opened, { backend: 'blue', attempts: 1 })
  t.equal((await asking).body, 'blue')
  t.equal(green.total, 1)
  t.equal(waitingAt(balancer), 0)
  await close(client)
})

t.test('when the time is over: another backend, or 503', async (t) => {
  for (const then of ['rebalance', 'reject'] as const) {
    const { balancer, url, clock } = await pair(t, { onLost: { wait: '10s', then } })
    await balancer.drain('blue')
    const asking = ask(url)
    const opening = wsClient(t, url).catch((error: Error) => error)
    await until(() => waitingAt(balancer) === 2, 'both to be held')
    await clock.advance(9_999)
    t.equal(waitingAt(balancer), 2)
    await clock.advance(1)
    const [answer, client] = [await asking, await opening]
    if (then === 'rebalance') {
      t.equal(answer.body, 'green')
      t.equal(await said(client as WebSocket, 'hello'), 'hello')
      await close(client as WebSocket)
    } else {
      t.match(answer, { status: 503, headers: { 'retry-after': '1' }, body: /WSLB_BACKEND_LOST/ })
      t.match(client, { message: /503/ })
    }
    t.equal(waitingAt(balancer), 0)
  }
})

t.test("'reject': 503 with Retry-After at once, for its cause alone; pick() too", async (t) => {
  const { balancer, url, port, next } = await pair(t, { onLost: { draining: 'reject' } })
  await balancer.drain('blue')
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead({ Accept: 'application/json' }))
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n[^]*"error":"WSLB_BACKEND_LOST"/)
  t.match(await rejected, {
    status: 503,
    attempts: 0,
    error: { code: 'WSLB_BACKEND_LOST', blame: 'backend' },
  })
  const server = createServer((message, response) => {
    t.throws(() => balancer.pick(message), { code: 'WSLB_BACKEND_LOST' })
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await ask(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  server.close()
  t.equal((await ask(url, { headers: { 'x-stranger': '1' } })).status, 200)
})

t.test('pick() does not wait: it takes what comes then', async (t) => {
  const { balancer } = await pair(t, { onLost: { wait: '10s' } })
  await balancer.drain('blue')
  const server = createServer((message, response) => {
    const choice = balancer.pick(message)
    t.equal(choice.backend.id, 'green')
    choice.release()
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await ask(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  server.close()
})

t.test('a full backend: who is held gets the place that becomes free, the first first', async (t) => {
  const { balancer, url, green } = await pair(t, { onLost: { full: { wait: '1m' } } }, undefined, {
    maxConnections: 1,
  })
  const first = await wsClient(t, url)
  const order: string[] = []
  const held: Promise<WebSocket>[] = []
  for (const name of ['second', 'third']) {
    held.push(wsClient(t, url).then((client) => (order.push(name), client)))
    await until(() => waitingAt(balancer) === held.length, `${name} to be held`)
  }
  await close(first)
  await close(await held[0]!)
  await close(await held[1]!)
  t.same(order, ['second', 'third'])
  t.equal(green.total, 0)
})

t.test('a client that leaves while it is held leaves nothing behind', async (t) => {
  const { balancer, port, clock, next } = await pair(t, { onLost: { wait: '10s' } })
  await balancer.drain('blue')
  const [upgrade, half, request] = [
    await rawClient(t, port),
    await rawClient(t, port),
    await rawClient(t, port),
  ]
  upgrade.send(upgradeHead())
  half.send(upgradeHead())
  request.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await until(() => waitingAt(balancer) === 3, 'all to be held')
  let rejected = next('upgrade:reject')
  upgrade.reset()
  t.match(await rejected, { status: 499, attempts: 0, error: { code: 'WSLB_CLIENT_GONE' } })
  rejected = next('upgrade:reject')
  half.socket.end()
  t.match(await rejected, { error: { code: 'WSLB_CLIENT_GONE' } })
  const done = next('request:done')
  request.reset()
  t.match(await done, { status: 499, error: { code: 'WSLB_CLIENT_GONE' } })
  t.equal(waitingAt(balancer), 0)
  // What is left is the lingering of a refusal that nobody reads.
  await clock.advance(2_000)
  t.equal(clock.pending, 0)
})

t.test('a backend that leaves the config ends the wait, and so does a config without it', async (t) => {
  const { balancer, url, config, green } = await pair(t, { onLost: { wait: '10s', then: 'reject' } })
  await balancer.drain('blue')
  let asking = ask(url)
  await until(() => waitingAt(balancer) === 1, 'it to be held')
  await balancer.reload(config)
  t.equal(waitingAt(balancer), 1, 'a reload that changes nothing does not')
  const { options: changed } = await balancer.reload({ ...config, onLost: 'rebalance' })
  t.same(changed, ['onLost'])
  t.equal((await asking).body, 'green')
  await balancer.reload(config)
  asking = ask(url)
  await until(() => waitingAt(balancer) === 1, 'it to be held')
  await balancer.reload({ ...config, backends: [spec(green)] })
  t.equal((await asking).body, 'green')
})

t.test('hooks.select comes first: whom it leaves to the pool is held, the others are not', async (t) => {
  const { balancer, url } = await pair(t, {
    onLost: { wait: '10s' },
    hooks: { select: ({ headers }) => (headers['x-green'] ? 'green' : undefined) },
  })
  await balancer.drain('blue')
  const asking = ask(url)
  await until(() => waitingAt(balancer) === 1, 'it to be held')
  t.equal((await ask(url, { headers: { 'x-green': '1' } })).body, 'green')
  balancer.restore('blue')
  t.equal((await asking).body, 'blue')
})

t.test('close() ends the wait', async (t) => {
  const { balancer, url, clock } = await pair(t, { onLost: { wait: '10s' } })
  await balancer.drain('blue')
  const asking = ask(url)
  const opening = rejection(wsClient(t, url))
  await until(() => waitingAt(balancer) === 2, 'both to be held')
  const closed = balancer.close({ drain: '1m' })
  t.equal(waitingAt(balancer), 0)
  t.match(await asking, { status: 503, body: /WSLB_CLOSED/ })
  t.match(await opening, { message: /503/ })
  await clock.advance(60_000)
  await closed
})

/** A server of its own process, as it were: it can be stopped, and started again on its port. */
async function restartable(t: Scope, id: string) {
  const port = await freePort()
  let stop = () => {}
  const start = async () => {
    const server = createServer((_request, response) => response.end(id))
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (socket) => socket.on('message', () => socket.send(id)))
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    stop = () => {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
      server.closeAllConnections()
    }
  }
  await start()
  t.teardown(() => stop())
  return { id, url: `http://127.0.0.1:${port}`, start, stop: () => stop() }
}

t.test('clients of a backend that is restarted come back to it, and nobody is refused', async (t) => {
  const servers = await Promise.all(['red', 'blue', 'green'].map((id) => restartable(t, id)))
  const { balancer, url } = await startBalancer(
    t,
    {
      backends: servers.map(({ id, url }) => ({ id, url })),
      balance: 'p2c',
      sticky: hashBy(query('client')),
      health: { interval: 100, timeout: '5s', debounce: '1s' },
      onLost: { wait: '2m' },
    },
    options,
  )
  const refused: unknown[] = []
  balancer.on('upgrade:reject', ({ error }) => refused.push(error))
  const open = (i: number) => wsClient(t, `${url}/?client=${i}`)
  const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => open(i)))
  const before = await Promise.all(clients.map((client) => said(client, 'who')))
  const blue = servers[1]!
  const back = clients.flatMap((client, i) =>
    before[i] === 'blue' ? [once(client, 'close').then(() => open(i))] : [],
  )
  t.ok(back.length > 8, `${back.length} were there`)
  blue.stop()
  await until(() => waitingAt(balancer) === back.length, 'all of them to be held', 20_000)
  await blue.start()
  const again = await Promise.all(back)
  t.same([...new Set(await Promise.all(again.map((client) => said(client, 'who'))))], ['blue'])
  t.same(refused, [])
  await Promise.all(
    [...clients.filter(({ readyState }) => readyState === WebSocket.OPEN), ...again].map(close),
  )
})

t.test('a rolling restart with Socket.IO clients: drain, wait, restore', async (t) => {
  const apps = [await socketIoApp(t, 'blue'), await socketIoApp(t, 'green')]
  const { balancer, url } = await startBalancer(
    t,
    {
      backends: apps.map(({ id, url }) => ({ id, url })),
      sticky: hashBy(query('client')),
      onLost: { draining: { wait: '2m' } },
    },
    options,
  )
  const clients = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      connect(t, url, i % 2 ? ['websocket'] : ['polling', 'websocket'], { client: String(i) }),
    ),
  )
  const hasUpgraded = ({ socket }: Client) => socket.io.engine.transport.name === 'websocket'
  await until(() => clients.every(hasUpgraded), 'all to have upgraded')
  const ofBlue = clients.filter(({ servers }) => servers[0] === 'blue')
  t.ok(ofBlue.length > 0)
  await balancer.drain('blue', { over: 0, deadline: '5s' })
  await until(() => waitingAt(balancer) === ofBlue.length, 'its clients to be held')
  balancer.restore('blue')
  await until(() => ofBlue.every(({ servers }) => servers.length === 2), 'them to be welcomed again')
  t.same([...new Set(ofBlue.flatMap(({ servers }) => servers))], ['blue'])
  t.same(
    [...new Set(ofBlue.flatMap(({ troubles }) => troubles))],
    ['transport close'],
    'the drain, and nothing else',
  )
  for (const { socket } of clients) socket.disconnect()
})

t.test('two balancers agree about every key and every cookie', async (t) => {
  const backends = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => named(t, id)))
  const config = (sticky: StickyStrategy): Config => ({
    ...base,
    backends: backends.map((one) => spec(one)),
    sticky,
  })
  const byKey = await Promise.all(
    [1, 2].map(() => startBalancer(t, config(hashBy(query('client'))), options)),
  )
  // In another order, too.
  await byKey[1]!.balancer.reload({
    ...config(hashBy(query('client'))),
    backends: backends.map((one) => spec(one)).reverse(),
  })
  const byCookie = await Promise.all(
    [1, 2].map(() =>
      startBalancer(t, { ...config(stickyCookie({ secret: 's' })), balance: 'random' }, options),
    ),
  )
  const seen = new Set<string>()
  let differ = 0
  for (let i = 0; i < 1_000; i += 20) {
    await Promise.all(
      Array.from({ length: 20 }, async (_, j) => {
        const keyed = await Promise.all(byKey.map(({ url }) => ask(`${url}/?client=${i + j}`)))
        const first = await ask(byCookie[0]!.url)
        const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
        const second = await ask(byCookie[1]!.url, { headers: { cookie } })
        seen.add(keyed[0]!.body)
        if (keyed[0]!.body !== keyed[1]!.body || first.body !== second.body) differ++
      }),
    )
  }
  t.equal(differ, 0)
  t.equal(seen.size, 5)
})
