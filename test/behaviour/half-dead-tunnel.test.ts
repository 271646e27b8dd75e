import t from 'tap'
import { type Scope, type TestBalancer, startBalancer } from '../support/balancer.ts'
import { type RawConnection, rawBackend, wsBackend } from '../support/backends.ts'
import { type RawClient, rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

// What happens to one leg of a tunnel when the other is gone, hung or half-closed.

interface Tunnelled extends TestBalancer {
  client: RawClient
  upstream: RawConnection
}

async function tunnel(t: Scope, config: object = {}): Promise<Tunnelled> {
  const backend = await rawBackend(t)
  const running = await startBalancer(t, { backends: [backend.url], ...config })
  const client = await rawClient(t, running.port)
  client.send(upgradeHead())
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  upstream.socket.write(switching())
  await client.has('\r\n\r\n')
  return { ...running, client, upstream }
}

t.test('a client that resets: a backend whose application hangs is let go after a linger', async (t) => {
  const { client, upstream, next } = await tunnel(t)
  upstream.socket.pause()
  const closed = next('tunnel:close')
  client.reset()
  t.match(await closed, { closedBy: 'client', cause: 'error', error: { code: 'ECONNRESET' } })
})

t.test('a backend that resets: a half-open client is ended', async (t) => {
  const { client, upstream, next } = await tunnel(t)
  const closed = next('tunnel:close')
  upstream.socket.resetAndDestroy()
  t.match(await closed, { closedBy: 'backend', cause: 'error' })
  await client.closed
  t.pass('the client saw the end')
})

t.test('a backend that finishes: a half-open client is ended', async (t) => {
  const { client, upstream, next } = await tunnel(t)
  const closed = next('tunnel:close')
  upstream.socket.end('last words')
  await client.has('last words')
  t.equal(await client.closed, 'end')
  t.match(await closed, { closedBy: 'backend', cause: 'error', bytesOut: 10 })
})

t.test('what the backend sends after the client has half-closed is delivered', async (t) => {
  const { client, upstream, next } = await tunnel(t)
  const closed = next('tunnel:close')
  client.socket.end('bye')
  await upstream.has('bye')
  await until(() => upstream.ended, 'the FIN to be passed on')
  // Longer than the linger in total, but never silent for that long.
  for (let part = 0; part < 8; part++) {
    upstream.socket.write(`part ${part};`)
    await client.has(`part ${part};`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  upstream.socket.end('done')
  await client.has('done')
  t.equal(await client.closed, 'end')
  t.match(await closed, { closedBy: 'client', cause: 'error', bytesIn: 3 })
})

t.test('what the client sends after the backend has half-closed is delivered', async (t) => {
  const { client, upstream } = await tunnel(t)
  upstream.socket.end('bye')
  t.equal(await client.closed, 'end')
  client.socket.end('answer')
  await upstream.has('answer')
  await until(() => upstream.ended, 'the FIN to be passed on')
  t.pass()
})

t.test('a drain that passes its deadline takes both legs', async (t) => {
  const { client, upstream, balancer, next } = await tunnel(t)
  const closed = next('tunnel:close')
  const [{ id = '' } = {}] = balancer.snapshot().backends
  await balancer.drain(id, { deadline: '1s' })
  t.match(await closed, { closedBy: 'balancer', cause: 'drain' })
  await client.closed
  await until(() => upstream.ended || upstream.socket.destroyed, 'the backend to see the end')
  t.equal(balancer.snapshot().backends[0]?.tunnels, 0)
  balancer.restore(id)
})

t.test('an idle tunnel is closed on both sides when an idle timeout is set', async (t) => {
  const { client, upstream, next } = await tunnel(t, { websocket: { idleTimeout: 150 } })
  const closed = next('tunnel:close')
  t.equal(await client.closed, 'end')
  await until(() => upstream.ended, 'the backend to see the end')
  t.match(await closed, { closedBy: 'balancer', cause: 'idle' })
})

for (const first of ['client', 'backend'] as const) {
  t.test(`a close handshake begun by the ${first} passes with code and reason`, async (t) => {
    const codes: [number, string][] = []
    const backend = await wsBackend(t, (socket) => {
      socket.on('message', () => socket.close(4001, 'enough'))
      socket.on('close', (code, reason) => codes.push([code, reason.toString()]))
    })
    const { url, next } = await startBalancer(t, { backends: [backend.url] })
    const client = await wsClient(t, url)
    client.on('close', (code, reason) => codes.push([code, reason.toString()]))
    const closed = next('tunnel:close')
    if (first === 'client') client.close(4001, 'enough')
    else client.send('close, please')
    t.match(await closed, { cause: 'normal', error: undefined })
    await until(() => codes.length === 2, 'both to be told')
    t.same(codes, [
      [4001, 'enough'],
      [4001, 'enough'],
    ])
  })
}

t.test('a thousand tunnels whose clients vanish leave nothing', async (t) => {
  const backend = await wsBackend(t)
  const { url, balancer } = await startBalancer(t, {
    backends: [backend.url],
    // A busy machine may take its time for a hundred handshakes at once.
    websocket: { handshakeTimeout: '10m' },
    timeouts: { connect: '10m' },
  })
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => wsClient(t, url)))
    if (round === 0) t.equal(balancer.snapshot().backends[0]?.tunnels, 100)
    clients.forEach((client, index) => (index % 2 === 0 ? client.terminate() : client.close()))
  }
  await until(() => balancer.snapshot().backends[0]?.load === 0, 'every lease to be released')
  await until(() => backend.open === 0, 'every upstream connection to be closed')
  t.equal(balancer.snapshot().connections, 0)
})
