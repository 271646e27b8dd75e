import t from 'tap'
import { rawBackend } from '../support/backends.ts'
import { SPEED, startBalancer } from '../support/balancer.ts'
import { childBackend } from '../support/child-backend.ts'
import { rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { ManualClock } from '../support/clock.ts'
import { closing, config, endings, halfWell, isOpen, turns, wsClients } from '../support/down.ts'
import { close, said } from '../support/reload.ts'
import { until } from '../support/until.ts'

// `health.onDown: 'drain'`: when a backend is declared down, the tunnels on which it still answers are kept.

t.test(
  'drain keeps what still answers, though the probe fails; the client hears no Pong of it',
  async (t) => {
    const backend = await halfWell(t)
    const { balancer, url } = await startBalancer(t, config(backend.url))
    const clients = await wsClients(t, url, 20)
    for (const client of clients) client.on('pong', () => t.fail('a client saw a Pong'))
    backend.well = false
    await turns(balancer, 'down')
    await until(() => backend.pings >= 40, 'every one to be asked twice')
    t.ok(clients.every(isOpen))
    t.equal(await said(clients[0]!, 'still here'), 'still here')
    t.match(balancer.snapshot().backends, [{ health: 'down', tunnels: 20 }])

    backend.well = true
    await turns(balancer, 'up')
    await Promise.all(clients.map(close))
  },
)

t.test('drain closes what a hung backend holds, spread, and nothing is left of it', async (t) => {
  const [hung, other] = [await childBackend(t), await childBackend(t)]
  const { balancer, url } = await startBalancer(t, {
    ...config(hung.url),
    backends: [
      { id: 'hung', url: hung.url },
      { id: 'other', url: other.url },
    ],
    drain: { code: 4012, reason: 'try again' },
  })
  const ended = endings(balancer)
  const clients = await wsClients(t, url, 40)
  const closes = Promise.all(clients.map(closing))
  hung.hang()
  await turns(balancer, 'down')
  const outsider = await wsClient(t, url)
  const all = await closes
  t.strictSame(new Set(all.map(({ said }) => said)), new Set(['4012 backend down']))
  const took = Math.max(...all.map(({ at }) => at)) - Math.min(...all.map(({ at }) => at))
  t.ok(took > (5_000 / SPEED) * 0.8, `they took ${Math.round(took)} ms`)
  await until(() => ended.length === 40, 'the tunnels to end')
  t.ok(
    ended.every(
      ({ cause, closedBy, closeCode }) => `${cause} ${closedBy} ${closeCode}` === 'down balancer 4012',
    ),
  )
  t.match(balancer.snapshot().backends, [
    { load: 0, tunnels: 0 },
    { load: 1, tunnels: 1 },
  ])
  t.equal(await said(outsider, 'well'), 'well')
  await close(outsider)
})

t.test('drain: a backend that wakes up keeps the clients it still has', async (t) => {
  const backend = await childBackend(t)
  // Time stands still until the backend is awake.
  const clock = new ManualClock()
  const { balancer, url } = await startBalancer(t, config(backend.url), { clock })
  const clients = await wsClients(t, url, 30)
  let decided = false
  balancer.once('backend:tunnels', (event) => {
    decided = true
    t.match(event, { backend: 'blue', onDown: 'drain', kept: 0, closing: 30, over: 5_000 })
  })
  backend.hang()
  while (!decided) await clock.advance(100)
  await clock.advance(2_500)
  backend.goOn()
  const isAwake = () => balancer.snapshot().tunnels.every(({ backendRtt }) => backendRtt !== null)
  await until(isAwake, 'it to answer')
  await clock.advance(5_000)
  // An echo, or the Close that came before it.
  await Promise.all(
    clients.filter(isOpen).map((client) => Promise.race([said(client, 'hello'), closing(client)])),
  )
  const rest = clients.filter(isOpen)
  t.ok(rest.length >= 12 && rest.length <= 18, `${rest.length} of 30 live on`)
  await Promise.all(rest.map(close))
})

t.test('drain: within a frame there is no place for a Ping: bytes decide, either way', async (t) => {
  // Before, there would be a place for a Ping.
  let inFrames = false
  const backend = await rawBackend(t, (connection) => {
    connection.socket.on('data', (data: Buffer) => {
      const status = inFrames ? '503 No' : '204 Well'
      if (String(data).startsWith('HEAD')) connection.socket.end(`HTTP/1.1 ${status}\r\n\r\n`)
      if (String(data).startsWith('GET')) connection.socket.write(switching())
      if (connection.received.includes('stuck')) connection.socket.pause()
    })
  })
  const { port, balancer } = await startBalancer(t, config(backend.url))
  const ended = endings(balancer)
  const inFrame = async (name: string) => {
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has('101 Switching')
    client.send(
      Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]), Buffer.from(name)]),
    )
    await until(() => backend.connections.some(({ received }) => received.includes(name)), name)
    return client
  }
  const [download, upload, idle, stuck] = [
    await inFrame('download'),
    await inFrame('upload'),
    await inFrame('idle'),
    await inFrame('stuck'),
  ]
  inFrames = true
  const connectionOf = (name: string) =>
    backend.connections.find(({ received }) => received.includes(name))!.socket
  // More than any kernel takes for a process that does not read.
  stuck.send(Buffer.alloc(32 * 1024 * 1024))
  const talk = setInterval(() => {
    connectionOf('download').write(Buffer.from([0x82, 1, 120]))
    upload.send('x')
  }, 20)
  t.teardown(() => clearInterval(talk))
  await turns(balancer, 'down')
  // Close 1012, its reason behind it.
  await Promise.all([idle, stuck].map((client) => client.has('\x88\x0e\x03\xf4backend down')))
  connectionOf('stuck').resume()
  await until(() => ended.length === 2, 'the silent ones to end')
  t.match(ended, [
    { cause: 'down', closeCode: 1012 },
    { cause: 'down', closeCode: 1012 },
  ])
  // Another round, and its closes.
  const end = performance.now() + 25_000 / SPEED
  await until(() => performance.now() > end, 'the round')
  t.equal(balancer.snapshot().backends[0]!.tunnels, 2)
  for (const client of [download, upload]) t.notOk(client.received.includes('backend down'))
  t.notOk(
    backend.connections.some(({ received }) => received.includes('\x89\x88')),
    'nobody was pinged',
  )
  for (const client of [download, upload, idle, stuck]) client.reset()
})

t.test('drain: silence says nothing where we do not read, because the client is too slow', async (t) => {
  const backend = await halfWell(t)
  const { balancer, port, url } = await startBalancer(t, config(backend.url))
  const slow = await rawClient(t, port)
  slow.send(upgradeHead())
  await slow.has('101 Switching')
  slow.socket.pause()
  const [flood] = backend.sockets
  for (let i = 0; i < 500; i++) flood!.send(Buffer.alloc(64 * 1024))
  await until(() => flood!.bufferedAmount > 0, 'the way to be blocked')
  const other = await wsClient(t, url)
  backend.well = false
  await turns(balancer, 'down')
  await until(() => backend.pings >= 2, 'the next round')
  t.equal(balancer.snapshot().backends[0]!.tunnels, 2)
  slow.reset()
  await close(other)
})

t.test('a backend that comes up, is drained, or leaves is asked no more', async (t) => {
  const backend = await halfWell(t, { answersPings: false })
  const { balancer, url } = await startBalancer(t, config(backend.url))
  const ended = endings(balancer)
  const clients = await wsClients(t, url, 3)
  const goDown = async () => {
    backend.well = false
    await turns(balancer, 'down')
  }
  await goDown()
  backend.well = true
  await turns(balancer, 'up')
  await goDown()
  const closes = Promise.all(clients.map(closing))
  await balancer.drain('blue', { over: 0, reason: 'deploy' })
  t.strictSame(new Set((await closes).map(({ said }) => said)), new Set(['1012 deploy']))
  t.strictSame(
    ended.map(({ cause }) => cause),
    ['drain', 'drain', 'drain'],
  )

  balancer.restore('blue')
  const late = await wsClient(t, url)
  const gone = closing(late)
  await balancer.reload({ ...config(backend.url), backends: [], drain: { over: 0, reason: 'gone' } })
  t.equal((await gone).said, '1012 gone')
  await until(() => ended.length === 4, 'its tunnel to end')
  t.equal(ended.at(-1)!.cause, 'reload')
})

t.test('a balancer that closes while a backend is down leaves no timer', async (t) => {
  const backend = await halfWell(t, { answersPings: false })
  const { balancer, url } = await startBalancer(t, config(backend.url))
  const ended = endings(balancer)
  const clients = await wsClients(t, url, 5)
  backend.well = false
  await turns(balancer, 'down')
  await until(() => backend.pings === 5, 'all to be asked')
  await balancer.close({ drain: { over: '2s', deadline: '20s' } })
  t.strictSame(
    ended.map(({ cause }) => cause),
    clients.map(() => 'shutdown'),
  )
})

t.test('killed while it is down but answers: its clients hear 1014', async (t) => {
  const backend = await childBackend(t)
  let well = true
  const probe = async () => {
    if (!well) throw new Error('not well')
  }
  const { balancer, url } = await startBalancer(t, config(backend.url, { probe }))
  const ended = endings(balancer)
  const clients = await wsClients(t, url, 10)
  well = false
  await turns(balancer, 'down')
  const closes = Promise.all(clients.map(closing))
  backend.die()
  t.strictSame(new Set((await closes).map(({ said }) => said)), new Set(['1014 backend lost']))
  await until(() => ended.length === 10, 'the tunnels to end')
  t.ok(ended.every(({ cause, closedBy }) => `${cause} ${closedBy}` === 'error backend'))
})
