import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { WebSocket } from 'ws'
import { type Config, type EjectionConfig } from '../../lib/config/config.ts'
import { type BalancerEvents } from '../../lib/core/events.ts'
import { type Scope, startBalancer, inTurn } from '../support/balancer.ts'
import { httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { ask, rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

// A backend whose probe is well and whose traffic fails. Time in the balancer is twenty times as fast: 5 s are 250 ms.

let clients = 0
/** Each of another client, where the balancer trusts us: what one client meets says nothing of a backend. */
const fromAnother = () => ({ 'x-forwarded-for': `10.0.${clients >> 8}.${clients++ & 255}` })

const upgradesTo = (url: string, headers = fromAnother()) =>
  new WebSocket(url.replace('http', 'ws'), { headers })

/** The first backend is blue, and is asked first; its WebSockets end as the test says. */
async function start(t: Scope, onSocket: (socket: WebSocket) => void, over: Partial<Config> = {}) {
  const blue = await wsBackend(t, onSocket)
  const green = await wsBackend(t)
  const { balancer, ...rest } = await startBalancer(t, {
    backends: [
      { id: 'blue', url: blue.url },
      { id: 'green', url: green.url },
    ],
    sticky: false,
    trustProxy: true,
    health: { interval: '1s', timeout: '20s' },
    ...over,
  })
  const told: string[] = []
  const ejected: BalancerEvents['backend:ejected'][] = []
  balancer.on('backend:ejected', (event) => {
    ejected.push(event)
    told.push(`${event.backend} out`)
  })
  balancer.on('backend:readmitted', ({ backend }) => told.push(`${backend} back`))
  const ended: BalancerEvents['tunnel:close'][] = []
  balancer.on('tunnel:close', (event) => ended.push(event))
  return { balancer, told, ejected, ended, blue, green, ...rest }
}

/** Comes, and stays until the other side has had enough. @returns the close code */
async function visit(url: string): Promise<number> {
  const client = upgradesTo(url)
  const [code] = (await once(client, 'close')) as [number]
  return code
}

t.test('a backend that takes the upgrade and dies after 50 ms is ejected after five', async (t) => {
  const { url, told, ejected, ended, balancer } = await start(t, (socket) =>
    setTimeout(() => socket.terminate(), 50 / 20),
  )
  for (let i = 0; i < 5; i++) {
    t.equal(told.length, 0)
    t.equal(await visit(url), 1014)
    await until(() => ended.length === i + 1, 'the tunnel to be over')
  }
  t.match(ejected, [
    {
      backend: 'blue',
      reason: /^5 failures in a row, the last: a WebSocket broken off without a Close after/,
    },
  ])
  t.match(balancer.snapshot().backends, [
    { id: 'blue', health: 'up', adminState: 'active', ejectedUntil: ejected[0]!.until },
    { id: 'green', ejectedUntil: null },
  ])
  const client = await wsClient(t, url)
  t.match(balancer.snapshot().tunnels, [{ backend: 'green' }])
  client.close()
  await until(() => told.includes('blue back'), 'it to come back')
  t.match(balancer.snapshot().backends, [{ ejectedUntil: null }])
})

t.test('twice as long the second time', async (t) => {
  const { url, told, ejected, balancer } = await start(t, (socket) => socket.terminate())
  const failUntil = async (times: number) => {
    while (ejected.length < times) await visit(url)
  }
  const times: number[] = []
  balancer.on('backend:ejected', ({ until }) => times.push(until - Date.now()))
  await failUntil(1)
  await until(() => told.includes('blue back'), 'it to come back')
  await failUntil(2)
  const [first = 0, second = 0] = times
  t.ok(first > 8_900 && first <= 10_000, `${first} ms`)
  t.ok(second > 17_900 && second <= 20_000, `${second} ms`)
})

const ENDINGS: Record<string, { end: (socket: WebSocket) => void; counts: boolean }> = {
  '1011': { end: (socket) => socket.close(1011), counts: true },
  '1000': { end: (socket) => socket.close(1000), counts: false },
  '1001': { end: (socket) => socket.close(1001), counts: false },
  '1008, a client it does not want': { end: (socket) => socket.close(1008), counts: false },
  '1012, a restart': { end: (socket) => socket.close(1012), counts: false },
  'no code': { end: (socket) => socket.close(), counts: false },
}
for (const [name, { end, counts }] of Object.entries(ENDINGS)) {
  t.test(`early Closes with ${name} ${counts ? 'count' : 'never count'}`, async (t) => {
    const { url, ended, ejected } = await start(t, end)
    for (let i = 0; i < (counts ? 5 : 12); i++) {
      t.equal(ejected.length, 0)
      await visit(url)
      await until(() => ended.length > i, 'the tunnel to be over')
    }
    t.equal(ejected.length, counts ? 1 : 0)
  })
}

t.test('what clients do never counts: resets, half-closes, garbage, Closes, leaving at once', async (t) => {
  const { port, ended, ejected } = await start(t, (socket) => socket.on('error', () => {}))
  const masked = (first: number, ...payload: number[]) =>
    Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0, ...payload])
  const tricks: Record<string, (client: Awaited<ReturnType<typeof rawClient>>) => void> = {
    reset: (client) => client.reset(),
    'half-close': (client) => void client.socket.end(),
    'half a frame, then a reset': (client) => {
      client.send(Buffer.from([0x82, 0xfe, 0xff]))
      client.reset()
    },
    'a frame without a mask': (client) => client.send(Buffer.from([0x81, 0x01, 0x61])),
    'a reserved opcode': (client) => client.send(masked(0x83)),
    'text that is none': (client) => client.send(masked(0x81, 0xff, 0xff)),
    'a Close 1011': (client) => client.send(masked(0x88, 0x03, 0xf3)),
    'a Close 1006': (client) => client.send(masked(0x88, 0x03, 0xee)),
    'a Close, then a reset': (client) => {
      client.send(masked(0x88, 0x03, 0xe8))
      client.reset()
    },
  }
  const play = async (trick: (client: Awaited<ReturnType<typeof rawClient>>) => void) => {
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has('101')
    trick(client)
    await Promise.race([client.closed, delay(30)])
    client.socket.destroy()
  }
  const names = Object.keys(tricks)
  for (const [index, name] of names.entries()) {
    await Promise.all(Array.from({ length: 8 }, () => play(tricks[name]!)))
    await until(() => ended.length === 8 * (index + 1), `the end of ${name}`)
    t.equal(ejected.length, 0, name)
  }
})

t.test(
  'a backend that drops whoever sends nonsense stays, from however many addresses of a network',
  async (t) => {
    // Without a word, as some servers do: by itself no different from one that has crashed.
    const { url, ended, ejected } = await start(t, (socket) =>
      socket.on('message', (data: Buffer) => String(data) === 'nonsense' && socket.terminate()),
    )
    for (let i = 0; i < 20; i++) {
      const hostile = await wsClient(t, url, [], { headers: { 'x-forwarded-for': `2001:db8:0:7::${i}` } })
      hostile.send('nonsense')
      await once(hostile, 'close')
      await until(() => ended.length > i, 'the end')
    }
    t.equal(ejected.length, 0)
  },
)

t.test('... and from several networks, while as many others get messages there', async (t) => {
  let isTalking = true
  const { url, ended, ejected } = await start(t, (socket) => {
    const talk = setInterval(() => isTalking && socket.send('news'), 5)
    socket.on('close', () => clearInterval(talk))
    socket.on('message', () => socket.terminate())
  })
  const honest = [await wsClient(t, url), await wsClient(t, url), await wsClient(t, url)]
  await delay(50)
  const attack = async (times: number) => {
    const before = ended.length
    for (let i = 0; i < times; i++) {
      const headers = { 'x-forwarded-for': `10.6.6.${i % 3}` }
      const hostile = await wsClient(t, url, [], { headers })
      await once(hostile, 'message')
      hostile.send('nonsense')
      await once(hostile, 'close')
      await until(() => ended.length > before + i, 'the end')
    }
  }
  await attack(15)
  t.equal(ejected.length, 0)
  for (const client of honest) client.close()
  await until(() => ended.length === 18, 'them to leave')
  isTalking = false
})

t.test('what fails on every backend ejects half of the pool at most', async (t) => {
  const backends = await Promise.all([1, 2, 3, 4].map(() => wsBackend(t, (socket) => socket.terminate())))
  const { balancer, url } = await startBalancer(t, {
    backends: backends.map(({ url }) => url),
    health: { interval: '1s', timeout: '20s', ejection: { time: '5m' } },
    balance: inTurn(),
    sticky: false,
    trustProxy: true,
  })
  let ended = 0
  balancer.on('tunnel:close', () => ended++)
  for (let i = 0; i < 60; i++) await visit(url).then(() => until(() => ended > i, 'the tunnel to be over'))
  const out = balancer.snapshot().backends.filter(({ ejectedUntil }) => ejectedUntil !== null)
  t.equal(out.length, 2)
})

t.test(
  'handshakes that hang while the probe is well: ejected, and the clients notice nothing but time',
  async (t) => {
    const hung = await rawBackend(t, ({ socket, has }) => {
      // It answers probes.
      void has('HEAD').then(
        () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
        () => {},
      )
    })
    const good = await wsBackend(t)
    const { balancer, url, next } = await startBalancer(t, {
      backends: [
        { id: 'hung', url: hung.url },
        { id: 'good', url: good.url },
      ],
      health: { interval: '1s', timeout: '20s' },
      websocket: { handshakeTimeout: '1s' },
      trustProxy: true,
    })
    const ejected = next('backend:ejected')
    const clients: WebSocket[] = []
    const come = async () => clients.push(await wsClient(t, url, [], { headers: fromAnother() }))
    let isOut = false
    void ejected.then(() => (isOut = true))
    while (!isOut) await Promise.all([come(), come(), come()])
    t.match(await ejected, { backend: 'hung', reason: /did not answer the upgrade within 1000 ms/ })
    t.not(balancer.snapshot().backends[0]!.health, 'down')
    const opened = next('tunnel:open')
    await come()
    t.match(await opened, { backend: 'good', attempts: 1, retries: [] })
    for (const client of clients) client.close()
  },
)

t.test('errors by share, for requests and refused upgrades', async (t) => {
  const sick = await httpBackend(t, ({ method }, response) =>
    response.writeHead(method === 'HEAD' ? 200 : 500).end(),
  )
  const well = await httpBackend(t, (_request, response) => response.end())
  const start = async (ejection: EjectionConfig, own?: ReturnType<typeof fromAnother>) => {
    const { balancer, url } = await startBalancer(t, {
      backends: [sick.url, well.url],
      health: { interval: '1s', timeout: '20s', ejection },
      sticky: false,
      trustProxy: true,
    })
    const ejected: BalancerEvents['backend:ejected'][] = []
    balancer.on('backend:ejected', (event) => ejected.push(event))
    for (let i = 0; i < 10; i++) {
      const headers = own ?? fromAnother()
      await ask(url, { headers })
      const client = upgradesTo(url, headers)
      await once(client, 'error')
    }
    return ejected
  }
  t.match(await start({ errors: { min: 10 } }), [{ reason: '100 % of its answers are errors' }])
  t.same(
    await start({ errors: { min: 10 } }, fromAnother()),
    [],
    'of one client alone they are its own affair',
  )
  t.same(await start({}), [], 'by default they are the affair of the application')
})

t.test('panic is told and seen, and over when they are back', async (t) => {
  const state = { well: true }
  const backends = await Promise.all(
    [1, 2, 3].map((index) =>
      httpBackend(t, ({ method }, response) => {
        const isWell = state.well || index === 1 || method !== 'HEAD'
        response.writeHead(isWell ? 200 : 503).end(`${index}`)
      }),
    ),
  )
  const { balancer, url, next } = await startBalancer(t, {
    backends: backends.map(({ url }) => url),
    balance: inTurn(),
    sticky: false,
    health: { interval: '1s', timeout: '20s', debounce: '1s', panicThreshold: 0.5, onDown: 'keep' },
  })
  const panic = next('pool:panic')
  state.well = false
  t.match(await panic, { pool: 'default', usable: 1, members: 3 })
  t.match(balancer.snapshot().pools, [{ panic: true }])
  const bodies = new Set<string>()
  for (let i = 0; i < 6; i++) bodies.add((await ask(url)).body)
  t.same([...bodies].sort(), ['1', '2', '3'])
  const calm = next('pool:calm')
  state.well = true
  t.match(await calm, { usable: 2 })
  t.match(balancer.snapshot().pools, [{ panic: false }])
})

t.test('with health: false there is no ejection', async (t) => {
  const { url, ended, ejected } = await start(t, (socket) => socket.terminate(), { health: false })
  for (let i = 0; i < 12; i++) await visit(url).then(() => until(() => ended.length > i, 'the end'))
  t.equal(ejected.length, 0)
})

t.test('raw: the tunnel dies in the segment of its 101', async (t) => {
  const dying = await rawBackend(t, ({ socket, has }) => {
    void has('\r\n\r\n').then(
      (text) =>
        text.startsWith('HEAD')
          ? socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
          : socket.end(switching()),
      () => {},
    )
  })
  const good = await wsBackend(t)
  const { balancer, port } = await startBalancer(t, {
    backends: [dying.url, good.url],
    health: { interval: '1s', timeout: '20s' },
    sticky: false,
    trustProxy: true,
  })
  let ended = 0
  let ejected = 0
  balancer.on('tunnel:close', () => ended++)
  balancer.on('backend:ejected', () => ejected++)
  for (let i = 0; i < 5; i++) {
    const client = await rawClient(t, port)
    client.send(upgradeHead(fromAnother()))
    await client.closed
    client.socket.destroy()
    await until(() => ended > i, 'the end')
  }
  t.equal(ejected, 1)
})
