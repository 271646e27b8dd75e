import { once } from 'node:events'
import { Agent, type IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type DrainProgressEvent } from '../../lib/core/events.ts'
import { httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { SPEED, startBalancer, inTurn } from '../support/balancer.ts'
import { ask, rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { said } from '../support/reload.ts'
import { until } from '../support/until.ts'

interface Closed {
  readonly at: number
  readonly code: number
  readonly reason: string
}

/** An echoing client that talks until it is closed, and knows what came back. */
async function talker(url: string) {
  const socket = new WebSocket(url)
  let sent = 0
  let echoed = 0
  socket.on('message', (data: Buffer) => {
    if (String(data) !== String(echoed++)) throw new Error('out of order')
    say()
  })
  const say = () => socket.readyState === WebSocket.OPEN && socket.send(String(sent++))
  await once(socket, 'open')
  const closed = once(socket, 'close').then(([code, reason]): Closed => ({
    at: performance.now(),
    code: code as number,
    reason: String(reason),
  }))
  say()
  return { socket, closed, echoed: () => echoed }
}

async function talkers(url: string, count: number) {
  const all = await Promise.all(Array.from({ length: count }, () => talker(url.replace('http', 'ws'))))
  await until(() => all.every(({ echoed }) => echoed() > 2), 'all to talk')
  return all
}

/** Asserts that the closes did not come in one burst; how even they are is shown in proxy/close-at-pace.test.ts. */
function expectSpread(t: Test, closes: readonly Closed[], over: number): void {
  const times = closes.map(({ at }) => at)
  const took = Math.max(...times) - Math.min(...times)
  // A busy machine makes it longer; shorter only when it sleeps through the beginning.
  t.ok(took > over * 0.5, `the closes took ${Math.round(took)} of ${over} ms`)
}

t.test(
  'drain closes the tunnels of a backend at a pace, with code and reason, and loses nothing',
  async (t) => {
    const [blue, green] = [await wsBackend(t), await wsBackend(t)]
    const { balancer, url } = await startBalancer(t, {
      backends: [
        { id: 'blue', url: blue.url },
        { id: 'green', url: green.url },
      ],
    })
    const clients = await talkers(url, 100)
    t.equal(balancer.snapshot().backends[0]!.tunnels, 100)

    const drained = balancer.drain('blue', { over: '20s', code: 1012, reason: 'deploy', deadline: '10m' })
    const [late] = await talkers(url, 1)
    t.equal(balancer.snapshot().backends[1]!.tunnels, 1, 'new clients go elsewhere at once')
    const closes = await Promise.all(clients.map(({ closed }) => closed))
    await drained
    expectSpread(t, closes, 20_000 / SPEED)
    t.ok(closes.every(({ code, reason }) => code === 1012 && reason === 'deploy'))
    t.equal(balancer.snapshot().backends[0]!.load, 0)
    t.equal(late!.socket.readyState, WebSocket.OPEN, 'the other backend did not notice')
    late!.socket.close()
  },
)

t.test('the backend hears 1001, after everything its client has sent', async (t) => {
  const received: string[] = []
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', (data: Buffer) => received.push(String(data)))
    socket.on('close', (code) => codes.push(code))
  })
  const { balancer, url, next } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const client = new WebSocket(url.replace('http', 'ws'))
  await once(client, 'open')
  for (let i = 0; i < 500; i++) client.send(String(i))
  const closed = next('tunnel:close')
  await balancer.drain('blue', { over: 0 })
  await until(() => codes.length === 1, 'the backend to be closed')
  t.strictSame(codes, [1001])
  t.strictSame(
    received,
    Array.from({ length: 500 }, (_, i) => String(i)),
  )
  t.match(await closed, { closedBy: 'balancer', cause: 'drain', closeCode: 1012, messagesIn: 500 })
})

t.test('restore stops a drain; the sockets that are left live on', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const clients = await talkers(url, 20)
  const drained = balancer.drain('blue', { over: '40s' })
  await Promise.race(clients.map(({ closed }) => closed))
  balancer.restore('blue')
  await drained
  await until(
    () =>
      balancer.snapshot().backends[0]!.tunnels ===
      clients.filter(({ socket }) => socket.readyState === 1).length,
    'counts to agree',
  )
  const alive = clients.filter(({ socket }) => socket.readyState === WebSocket.OPEN)
  t.ok(alive.length > 0 && alive.length < 20, `${alive.length} of 20 live on`)
  const before = alive.map(({ echoed }) => echoed())
  await until(() => alive.every(({ echoed }, i) => echoed() > before[i]!), 'the rest to go on talking')
  t.equal(balancer.snapshot().backends[0]!.adminState, 'active')
  for (const { socket } of alive) socket.close()
})

t.test(
  'at the deadline the rest is cut: a peer in the middle of a huge frame, a peer that does not answer',
  async (t) => {
    const backend = await rawBackend(t, ({ socket }) => {
      socket.once('data', () => socket.write(switching()))
    })
    const { balancer, port, next } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
    const huge = await rawClient(t, port)
    huge.send(upgradeHead())
    await huge.has('101 Switching')
    const { socket } = await backend.connection(0)
    socket.write(Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]), Buffer.alloc(1_000)]))
    const silent = await rawClient(t, port)
    silent.send(upgradeHead())
    await silent.has('101 Switching')
    const drained = next('backend:drained')
    await balancer.drain('blue', { over: 0, deadline: '3s' })
    t.match(await drained, { backend: 'blue', cut: 2 })
    t.notMatch(huge.received, '\x88', 'no Close inside the frame')
    t.match(silent.received, /\x88.\x03\xf4service restart/s, 'a Close with 1012 where it fits')
  },
)

t.test('a second drain joins the first and does not restart its clock', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const clients = await talkers(url, 5)
  const first = balancer.drain('blue', { over: '2s' })
  const second = balancer.drain('blue', { over: '10m', deadline: '20m' })
  await Promise.all([first, second, ...clients.map(({ closed }) => closed)])
  t.equal(balancer.snapshot().backends[0]!.load, 0)
})

t.test('a backend that a reload removes is drained the same way', async (t) => {
  const [blue, green] = [await wsBackend(t), await wsBackend(t)]
  const drain = { over: '4s', code: 4001, reason: 'moved', deadline: '10m' } as const
  const keep = { id: 'green', url: green.url }
  const { balancer, url } = await startBalancer(t, { drain, backends: [{ id: 'blue', url: blue.url }, keep] })
  const clients = await talkers(url, 10)
  const plan = await balancer.reload({
    listen: { port: 0, host: '127.0.0.1' },
    health: false,
    drain,
    backends: [keep],
  })
  t.match(plan, { removed: ['blue'], kept: ['green'], tunnelsDrained: 10, tunnelsKept: 0 })
  const closes = await Promise.all(clients.map(({ closed }) => closed))
  t.ok(closes.every(({ code, reason }) => code === 4001 && reason === 'moved'))
})

t.test('close({ drain }) closes every tunnel at a pace before it ends', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [backend.url], drain: { over: '10s' } })
  const clients = await talkers(url, 50)
  const done = balancer.close({ drain: '60s' })
  const closes = await Promise.all(clients.map(({ closed }) => closed))
  await done
  expectSpread(t, closes, 10_000 / SPEED)
  t.ok(closes.every(({ code, reason }) => code === 1012 && reason === 'service restart'))
})

t.test('a backend that is lost: its client gets 1014, not a reset', async (t) => {
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', () => socket.terminate())
  })
  const { url, next } = await startBalancer(t, { backends: [backend.url] })
  const client = new WebSocket(url.replace('http', 'ws'))
  await once(client, 'open')
  const closed = next('tunnel:close')
  client.send('die')
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  t.equal(code, 1014)
  t.equal(String(reason), 'backend lost')
  t.match(await closed, { closedBy: 'backend', cause: 'error', closeCode: 1006 })
})

t.test('a client that vanishes: its backend gets 1001', async (t) => {
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => socket.on('close', (code) => codes.push(code)))
  const { url, next } = await startBalancer(t, { backends: [backend.url] })
  const client = new WebSocket(url.replace('http', 'ws'))
  await once(client, 'open')
  const closed = next('tunnel:close')
  client.terminate()
  await until(() => codes.length === 1, 'the backend to hear of it')
  t.strictSame(codes, [1001])
  t.match(await closed, { closedBy: 'client', cause: 'error', closeCode: 1006 })
})

t.test('a clean close keeps its code and reason, and says who began it', async (t) => {
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', () => socket.close(4005, 'enough'))
    socket.on('close', (code) => codes.push(code))
  })
  const { url, next } = await startBalancer(t, { backends: [backend.url] })
  const byClient = new WebSocket(url.replace('http', 'ws'))
  await once(byClient, 'open')
  let closed = next('tunnel:close')
  byClient.close(4004, 'done')
  await once(byClient, 'close')
  t.match(await closed, { closedBy: 'client', cause: 'normal', closeCode: 4004 })
  await until(() => codes.length === 1, 'the backend to hear of it')
  t.strictSame(codes, [4004])

  const byBackend = new WebSocket(url.replace('http', 'ws'))
  await once(byBackend, 'open')
  closed = next('tunnel:close')
  byBackend.send('go')
  const [code, reason] = (await once(byBackend, 'close')) as [number, Buffer]
  t.strictSame([code, String(reason)], [4005, 'enough'])
  t.match(await closed, {
    closedBy: 'backend',
    cause: 'normal',
    closeCode: 4005,
    messagesIn: 1,
    messagesOut: 0,
  })
})

t.test('at the deadline requests are cut too, and a handshake that is late goes elsewhere', async (t) => {
  const stuck = await rawBackend(t, (connection) => {
    connection.socket.once('data', () => {
      if (connection.received.startsWith('GET /sse'))
        connection.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n')
    })
  })
  const live = await wsBackend(t)
  const { balancer, port, next } = await startBalancer(t, {
    backends: [
      { id: 'stuck', url: stuck.url },
      { id: 'live', url: live.url },
    ],
  })
  const sse = await rawClient(t, port)
  sse.send('GET /sse HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await sse.has('one')
  const late = await rawClient(t, port)
  late.send(upgradeHead())
  const handshake = await stuck.connection(1)
  await handshake.has('\r\n\r\n')
  const drained = next('backend:drained')
  await balancer.drain('stuck', { over: 0, deadline: '2s' })
  t.match(await drained, { backend: 'stuck', cut: 2 })
  t.equal(await sse.closed, 'reset')
  handshake.socket.write(switching())
  await late.has('101 Switching')
  t.strictSame(
    balancer.snapshot().backends.map(({ id, tunnels }) => [id, tunnels]),
    [
      ['stuck', 0],
      ['live', 1],
    ],
  )
  late.reset()
})

t.test('a pool, or everything, is drained by name; restore takes the same names', async (t) => {
  const [blue, green, red] = [await wsBackend(t), await wsBackend(t), await wsBackend(t)]
  const { balancer } = await startBalancer(t, {
    pools: {
      chat: {
        backends: [
          { id: 'blue', url: blue.url },
          { id: 'news', url: green.url },
        ],
      },
      news: { backends: [{ id: 'blue', url: red.url }] },
    },
    routes: [{ pool: 'chat' }],
  })
  const draining = () =>
    balancer
      .snapshot()
      .backends.filter(({ adminState }) => adminState === 'draining')
      .map(({ pool, id }) => `${pool}/${id}`)
  const targets: Record<string, string[]> = {
    blue: ['chat/blue', 'news/blue'],
    'chat/blue': ['chat/blue'],
    'chat/*': ['chat/blue', 'chat/news'],
    chat: ['chat/blue', 'chat/news'],
    // A backend of that name comes first.
    news: ['chat/news'],
    'news/*': ['news/blue'],
    '*': ['chat/blue', 'chat/news', 'news/blue'],
  }
  for (const [target, expected] of Object.entries(targets)) {
    await balancer.drain(target)
    t.same(draining(), expected, target)
    balancer.restore(target)
    t.same(draining(), [], target)
  }
  await t.rejects(balancer.drain('cht'), {
    code: 'WSLB_UNKNOWN_BACKEND',
    message: 'no backend "cht"; there are: chat/blue, chat/news, news/blue, chat/*, news/*',
  })
})

t.test('idle sockets are closed first', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const idle = await Promise.all(Array.from({ length: 5 }, () => wsClient(t, url)))
  const busy = await talkers(url, 5)
  const order: string[] = []
  for (const client of idle) client.on('close', () => order.push('idle'))
  for (const { socket } of busy) socket.on('close', () => order.push('busy'))
  await balancer.drain('blue', { over: '4s' })
  await until(() => order.length === 10, 'all to be closed')
  t.equal(order.join(' '), 'idle '.repeat(5) + 'busy busy busy busy busy')
})

t.test('a drain tells how far it has come, and a hook can begin it', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, {
    backends: [{ id: 'blue', url: backend.url }],
    drain: { over: '20s', deadline: '50s' },
    hooks: {
      onRequest: ({ path }, { balancer }) => {
        if (path === '/drain') void balancer.drain('blue')
        return { status: 204 }
      },
    },
  })
  const clients = await talkers(url, 10)
  const progress: DrainProgressEvent[] = []
  balancer.on('drain:progress', (event) => progress.push(event))
  t.same(balancer.snapshot().drains, [])
  t.equal((await ask(`${url}/drain`)).status, 204)
  t.match(balancer.snapshot().drains, [{ target: 'blue', left: 10 }])
  await Promise.all(clients.map(({ closed }) => closed))
  await until(() => balancer.snapshot().drains.length === 0, 'the drain to be over')
  t.match(progress[0], { target: 'blue', left: 10 })
  t.ok(progress[0]!.remaining > 49_000)
  t.ok(progress.length >= 3, `${progress.length} reports`)
  for (const [i, { left, remaining }] of progress.slice(1).entries()) {
    t.ok(left <= progress[i]!.left && remaining < progress[i]!.remaining, `${left} left, ${remaining} ms`)
  }
})

t.test(
  'idle connections to a drained backend are closed, and the client is told after its response',
  async (t) => {
    let finish!: () => void
    const blue = await httpBackend(t, (request, response) => {
      if (request.url === '/slow') finish = () => response.end('done')
      else response.end('blue')
    })
    const green = await httpBackend(t, (_request, response) => response.end('green'))
    const { balancer, url } = await startBalancer(t, {
      backends: [
        { id: 'blue', url: blue.url },
        { id: 'green', url: green.url },
      ],
      sticky: false,
    })
    const agent = new Agent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    const slow = ask(`${url}/slow`, { agent })
    await until(() => finish !== undefined, 'the request to run')
    t.equal((await ask(url)).body, 'blue')
    t.equal(blue.open, 2, 'one is busy, one is kept')
    const drained = balancer.drain('blue')
    await until(() => blue.open === 1, 'the idle connection to be closed')
    t.equal((await ask(url)).body, 'green')
    finish()
    const { body, headers } = await slow
    t.equal(body, 'done')
    t.equal(headers.connection, 'close')
    await drained
    await until(() => blue.open === 0, 'the last connection to be closed')
    balancer.restore('blue')
    const { body: back, headers: kept } = await ask(url, { agent })
    t.equal(back, 'blue')
    t.equal(kept.connection, 'keep-alive')
  },
)

t.test('a listener that restores at once leaves nothing behind', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const client = await wsClient(t, url)
  balancer.once('backend:draining', () => balancer.restore('blue'))
  await balancer.drain('blue', { over: 0 })
  balancer.once('drain:progress', () => balancer.restore('blue'))
  await balancer.drain('blue', { over: '1s' })
  t.same(balancer.snapshot().drains, [])
  t.equal(await said(client, 'alive'), 'alive')
  client.close()
})

t.test('a reload that removes a backend says so as the cause', async (t) => {
  const [blue, green] = [await wsBackend(t), await wsBackend(t)]
  const { balancer, url, next } = await startBalancer(t, { backends: [{ id: 'blue', url: blue.url }] })
  await wsClient(t, url)
  const closed = next('tunnel:close')
  await balancer.reload({
    listen: { port: 0, host: '127.0.0.1' },
    backends: [green.url],
    health: false,
    drain: { over: 0 },
  })
  t.match(balancer.snapshot().tunnels, [{ backend: 'blue' }], 'still listed while it ends')
  t.match(await closed, { backend: 'blue', cause: 'reload', closeCode: 1012 })
})

t.test('a listener restores several at once, whichever is told first', async (t) => {
  const [blue, green] = [await wsBackend(t), await wsBackend(t)]
  const { balancer, url } = await startBalancer(t, {
    backends: [
      { id: 'blue', url: blue.url },
      { id: 'green', url: green.url },
    ],
    balance: inTurn(),
    sticky: false,
  })
  const clients = await Promise.all(Array.from({ length: 4 }, () => wsClient(t, url)))
  balancer.once('backend:draining', () => balancer.restore('*'))
  await balancer.drain('*', { over: 0 })
  t.same(balancer.snapshot().drains, [])
  for (const client of clients) t.equal(await said(client, 'alive'), 'alive')
  t.same(
    balancer.snapshot().backends.map(({ adminState, tunnels }) => [adminState, tunnels]),
    [
      ['active', 2],
      ['active', 2],
    ],
  )
  for (const client of clients) client.close()
})

t.test(
  'the deadline ends a handshake under way: the client goes elsewhere, and the lease is free',
  async (t) => {
    const silent = await rawBackend(t)
    const green = await wsBackend(t)
    const { balancer, url, next } = await startBalancer(t, {
      backends: [
        { id: 'silent', url: silent.url },
        { id: 'green', url: green.url },
      ],
      websocket: { handshakeTimeout: '10m' },
    })
    const opening = wsClient(t, url)
    await (await silent.connection(0)).has('\r\n\r\n')
    const drained = next('backend:drained')
    await balancer.drain('silent', { over: 0, deadline: '2s' })
    t.match(await drained, { backend: 'silent', cut: 1 })
    t.match(balancer.snapshot().backends, [{ id: 'silent', load: 0 }, { id: 'green' }])
    const client = await opening
    t.match(balancer.snapshot().tunnels, [{ backend: 'green' }])
    client.close()
  },
)

t.test('what pick() has given away is not cut, nor counted as cut', async (t) => {
  const { balancer, next } = await startBalancer(t, { backends: [{ id: 'blue', url: 'http://127.0.0.1:1' }] })
  const choice = balancer.pick({
    url: '/',
    headers: {},
    rawHeaders: [],
    socket: {},
  } as unknown as IncomingMessage)
  const drained = next('backend:drained')
  await balancer.drain('blue', { over: 0, deadline: '1s' })
  t.match(await drained, { cut: 0 })
  t.equal(balancer.snapshot().backends[0]!.load, 1)
  choice.release()
})

t.test('a second drain that is to be over sooner hurries the first', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [{ id: 'blue', url: backend.url }] })
  const clients = await talkers(url, 10)
  const drainings: unknown[] = []
  balancer.on('backend:draining', (event) => drainings.push(event))
  const first = balancer.drain('blue', { over: '10m' })
  void balancer.drain('blue')
  t.ok(balancer.snapshot().drains[0]!.remaining > 600_000, 'the usual deadline hurries nobody')
  const second = balancer.drain('blue', { over: '2s', code: 4001, deadline: '1m' })
  t.ok(balancer.snapshot().drains[0]!.remaining <= 60_000)
  const closes = await Promise.all(clients.map(({ closed }) => closed))
  await Promise.all([first, second])
  t.ok(closes.every(({ code }) => code === 4001))
  t.equal(drainings.length, 1)
})

t.test('a closed balancer neither drains nor restores', async (t) => {
  const { balancer } = await startBalancer(t, { backends: [{ id: 'blue', url: 'http://127.0.0.1:1' }] })
  await balancer.close()
  await t.rejects(balancer.drain('blue'), { code: 'WSLB_CLOSED' })
  t.throws(() => balancer.restore('blue'), { code: 'WSLB_CLOSED' })
})

t.test('every Close to a backend is masked with a key of its own', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', () => socket.write(switching()))
  })
  const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
  const keys = new Set<string>()
  for (let i = 0; i < 4; i++) {
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has('101 Switching')
    client.reset()
    const { received } = await backend.connection(i).then(async (connection) => {
      await until(() => connection.received.includes('\x88\x82'), 'the Close')
      return connection
    })
    keys.add(received.slice(received.indexOf('\x88\x82') + 2, received.indexOf('\x88\x82') + 6))
  }
  t.equal(keys.size, 4)
  await until(() => balancer.snapshot().tunnels.length === 0, 'the tunnels to end')
})
