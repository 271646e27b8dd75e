import { once } from 'node:events'
import t from 'tap'
import { type TunnelSnapshot } from '../../lib/snapshot.ts'
import { wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { wsClient } from '../support/clients.ts'
import { close, said } from '../support/reload.ts'
import { until } from '../support/until.ts'

t.test('snapshot() and the events tell the truth about a tunnel', async (t) => {
  const backend = await wsBackend(t)
  const before = Date.now()
  const { balancer, url, next } = await startBalancer(t, {
    pools: { chat: { backends: [{ id: 'blue', url: backend.url }], health: false } },
    routes: [
      { host: 'nobody.test', path: '/x', pool: 'chat' },
      { host: '127.0.0.1', path: '/chat/*', pool: 'chat' },
    ],
    websocket: { ping: '1s' },
  })
  const opened = next('tunnel:open')
  const closed = next('tunnel:close')
  const client = await wsClient(t, `${url}/chat/room?token=1`)
  await said(client, 'hello')
  await until(() => balancer.snapshot().tunnels[0]!.backendRtt !== null, 'the legs to have been pinged')
  const snapshot = balancer.snapshot()
  t.same(balancer.snapshot({ tunnels: false }), { ...balancer.snapshot(), tunnels: [] })
  t.same(JSON.parse(JSON.stringify(snapshot)), snapshot, 'plain JSON')
  t.equal(snapshot.tunnels.length, 1)
  const [tunnel] = snapshot.tunnels as [TunnelSnapshot]
  const who = { pool: 'chat', backend: 'blue', route: '127.0.0.1/chat/*' }
  t.match(tunnel, { ...who, clientAddress: '127.0.0.1', bytesIn: 11 + 14, messagesIn: 1, messagesOut: 1 })
  t.ok(tunnel.openedAt >= before && tunnel.openedAt <= Date.now())
  t.ok(tunnel.handshake > 0 && tunnel.idle > 0 && tunnel.idle < tunnel.duration)
  t.ok(tunnel.clientRtt! > 0 && tunnel.backendRtt! > 0)
  t.same(balancer.findTunnel(tunnel.id)!.openedAt, tunnel.openedAt)
  client.close(4321)
  const { id, openedAt, handshake } = tunnel
  t.match(await opened, { ...who, id, openedAt, handshake, attempts: 1 })
  t.match(await closed, {
    ...who,
    id,
    openedAt,
    handshake,
    closedBy: 'client',
    cause: 'normal',
    closeCode: 4321,
    closeCodeIn: 4321,
    closeCodeOut: 4321,
  })
  t.equal(balancer.findTunnel(id), undefined)
  t.same(balancer.snapshot().tunnels, [])
})

t.test('one socket is closed by its id with a code of choice, the others do not notice', async (t) => {
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(String(data)))
    socket.on('close', (code) => codes.push(code))
  })
  const { balancer, url, next } = await startBalancer(t, { backends: [backend.url] })
  const [kicked, other] = [await wsClient(t, url), await wsClient(t, url)]
  const [{ id }] = balancer.snapshot().tunnels as [TunnelSnapshot]
  const closed = next('tunnel:close')
  const seen = once(kicked, 'close') as Promise<[number, Buffer]>
  t.equal(balancer.closeTunnel(id, { code: 4003, reason: 'signed out' }), true)
  t.equal(balancer.closeTunnel(id, { code: 4004, reason: '' }), false, 'it is closing already')
  const [code, reason] = await seen
  t.same([code, String(reason)], [4003, 'signed out'])
  t.match(await closed, { id, closedBy: 'balancer', cause: 'operator', closeCode: 4003 })
  await until(() => codes.length > 0, 'the backend to hear of it')
  t.same(codes, [1001], 'the backend hears that its client has gone')
  t.equal(await said(other, 'still here'), 'still here')
  t.equal(balancer.closeTunnel(id, { code: 4003, reason: '' }), false, 'it is gone')
  t.throws(() => balancer.closeTunnel(id, { code: 1000, reason: '' }), {
    message: /^code: got 1000; expected/,
  })
  t.throws(() => balancer.closeTunnel(id, {} as never), { message: /^code: is missing/ })
  const bare = balancer.closeTunnel.bind(balancer) as (id: number) => boolean
  t.throws(() => bare(id), {
    message: 'the Close: is missing; expected an object with code and reason',
  })
  await close(other)
})

t.test(
  'maxAge closes tunnels 1012 at their age, not all at once; a reload changes it for open ones',
  async (t) => {
    const backend = await wsBackend(t)
    const { balancer, url } = await startBalancer(t, {
      backends: [backend.url],
      websocket: { maxAge: '10m' },
    })
    const ages: number[] = []
    balancer.on('tunnel:close', ({ cause, duration }) => cause === 'age' && ages.push(duration))
    const clients = await Promise.all(Array.from({ length: 40 }, () => wsClient(t, url)))
    const closes = Promise.all(clients.map((client) => once(client, 'close') as Promise<[number, Buffer]>))
    await balancer.reload({
      backends: [backend.url],
      health: false,
      websocket: { maxAge: '20s' },
      listen: [],
    })
    for (const [code, reason] of await closes) t.same([code, String(reason)], [1012, 'maximum age'])
    await until(() => ages.length === 40, 'every tunnel to have ended')
    const spread = Math.max(...ages) - Math.min(...ages)
    t.ok(Math.min(...ages) >= 18_000, `the youngest was ${Math.round(Math.min(...ages))} ms old`)
    t.ok(spread > 500, `they were closed over ${Math.round(spread)} ms`)
  },
)

t.test('closeTimeout is how long a client may take to answer our Close', async (t) => {
  const backend = await wsBackend(t)
  const { balancer, url, next } = await startBalancer(t, {
    backends: [{ id: 'blue', url: backend.url }],
    websocket: { closeTimeout: '2s' },
  })
  const client = await wsClient(t, url)
  // It reads nothing any more, so it does not answer either.
  client.pause()
  const closed = next('tunnel:close')
  await balancer.drain('blue', { over: 0, deadline: '10m' })
  const { duration } = await closed
  // And the linger of 5 s for the connection to end.
  t.ok(duration >= 2_000 && duration < 30_000, `${Math.round(duration)} ms`)
})
