import t from 'tap'
import { rawBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { closing, config, halfWell, HEALTH, turns, wsClients } from '../support/down.ts'
import { close, said } from '../support/reload.ts'
import { until } from '../support/until.ts'

// `health.onDown`: `'keep'`, `'cut'`, and from one to the other.

t.test('keep and cut, of two pools with one server: each has its own way', async (t) => {
  const backend = await halfWell(t)
  const { balancer, url, next } = await startBalancer(t, {
    pools: {
      keeps: { backends: [backend.url], health: { ...HEALTH, onDown: 'keep' } },
      cuts: { backends: [backend.url], health: { ...HEALTH, onDown: 'cut' } },
    },
    routes: [{ path: '/keeps', pool: 'keeps' }, { pool: 'cuts' }],
    websocket: { ping: false },
  })
  const kept = await wsClient(t, `${url}/keeps`)
  const cut = await wsClient(t, `${url}/cuts`)
  const closed = next('tunnel:close')
  const gone = closing(cut)
  const told: string[] = []
  balancer.on('backend:down', ({ pool }) => told.push(`${pool} down`))
  balancer.on('backend:tunnels', ({ pool, onDown, kept, closing }) =>
    told.push(`${pool} ${onDown}: ${kept} kept, ${closing} closing`),
  )
  backend.well = false
  t.equal((await gone).said, '1014 backend lost')
  t.match(await closed, { pool: 'cuts', cause: 'down', closedBy: 'balancer', closeCode: 1014 })
  await until(() => balancer.snapshot().backends.every(({ health }) => health === 'down'), 'both to be down')
  t.strictSame(
    told.filter((line) => line.startsWith('keeps')),
    ['keeps down', 'keeps keep: 1 kept, 0 closing'],
  )
  t.strictSame(
    told.filter((line) => line.startsWith('cuts')),
    ['cuts down', 'cuts cut: 0 kept, 1 closing'],
  )
  t.equal(await said(kept, 'still here'), 'still here')
  t.equal(backend.pings, 0, 'nobody was asked')
  await close(kept)
})

t.test('cut in the middle of a frame of the backend: nothing is put into it', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.on('data', (data: Buffer) => {
      if (String(data).startsWith('HEAD')) socket.end('HTTP/1.1 503 No\r\n\r\n')
      else socket.write(Buffer.concat([Buffer.from(switching()), Buffer.from([0x82, 100, 120, 120])]))
    })
  })
  const { port } = await startBalancer(t, config(backend.url, { onDown: 'cut' }))
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  t.equal(await client.closed, 'end')
  t.ok(client.received.endsWith('\r\n\r\n\x82dxx'))
  client.socket.end()
})

t.test('a reload that changes onDown counts at once for a backend that is down', async (t) => {
  const backend = await halfWell(t, { answersPings: false })
  const { balancer, url } = await startBalancer(t, config(backend.url, { onDown: 'keep' }))
  const clients = await wsClients(t, url, 3)
  backend.well = false
  await turns(balancer, 'down')
  await balancer.reload({ ...config(backend.url, { onDown: 'keep' }), attempts: 2 })
  t.equal(backend.pings, 0)
  await balancer.reload(config(backend.url, { onDown: 'drain' }))
  await until(() => backend.pings === 3, 'all to be asked')
  const closes = Promise.all(clients.map(closing))
  await balancer.reload(config(backend.url, { onDown: 'cut' }))
  t.strictSame(
    (await closes).map(({ said }) => said),
    ['1014 backend lost', '1014 backend lost', '1014 backend lost'],
  )
})

t.test('a client that comes as the last resort is neither cut nor closed: it was answered', async (t) => {
  const backend = await halfWell(t)
  backend.well = false
  const { balancer, url } = await startBalancer(t, config(backend.url, { onDown: 'cut' }))
  await turns(balancer, 'down')
  const client = await wsClient(t, url)
  t.equal(await said(client, 'hello'), 'hello')
  await balancer.reload({ ...config(backend.url, { onDown: 'cut' }), attempts: 2 })
  t.equal(await said(client, 'hello'), 'hello')
  await balancer.reload(config(backend.url, { onDown: 'drain' }))
  await until(() => backend.pings >= 2, 'it to be asked, and to answer, twice')
  t.equal(await said(client, 'hello'), 'hello')
  await close(client)
})
