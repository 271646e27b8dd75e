import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { rawBackend, wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { rawClient, switching, upgradeHead } from '../support/clients.ts'
import { until } from '../support/until.ts'
import { acceptFor } from '../../lib/protocol/handshake.ts'

/** Frames of the raw texts: a Ping from us to a client, unmasked, with eight bytes; to a backend, masked. */
const PING_TO_CLIENT = /\x89\x08(.{8})/gs
const PING_TO_BACKEND = /\x89\x88.{12}/gs

t.test(
  'silent peers that answer live on; neither hears of the Pongs of the other; the round trip is known',
  async (t) => {
    const backend = await wsBackend(t, (socket) => {
      socket.on('pong', () => t.fail('the backend saw a Pong'))
      socket.on('message', (data: Buffer) => socket.send(data))
    })
    const { url, next } = await startBalancer(t, { backends: [backend.url], websocket: { ping: '1s' } })
    const client = new WebSocket(url.replace('http', 'ws'))
    await once(client, 'open')
    client.on('pong', () => t.fail('the client saw a Pong'))
    let pings = 0
    client.on('ping', () => pings++)
    await until(() => pings >= 5, 'pings')
    client.send('still here')
    const [data] = (await once(client, 'message')) as [Buffer]
    t.equal(String(data), 'still here')
    const closed = next('tunnel:close')
    client.close(1000)
    const { clientRtt, backendRtt, messagesIn } = await closed
    t.equal(messagesIn, 1)
    t.ok(clientRtt !== undefined && clientRtt >= 0 && clientRtt < 60_000, `client ${clientRtt} ms`)
    t.ok(backendRtt !== undefined && backendRtt >= 0 && backendRtt < 60_000, `backend ${backendRtt} ms`)
  },
)

t.test('a Pong that nobody asked for passes', async (t) => {
  const pongs: string[] = []
  const backend = await wsBackend(t, (socket) =>
    socket.on('pong', (data: Buffer) => pongs.push(String(data))),
  )
  const { url } = await startBalancer(t, { backends: [backend.url], websocket: { ping: '1s' } })
  const client = new WebSocket(url.replace('http', 'ws'))
  await once(client, 'open')
  await once(client, 'ping')
  client.pong('keep-alive')
  await until(() => pongs.length > 0, 'the pong')
  t.strictSame(pongs, ['keep-alive'])
  client.close()
  await once(client, 'close')
})

t.test('a client that answers two Pings with nothing is cut, and its backend hears 1001', async (t) => {
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => socket.on('close', (code) => codes.push(code)))
  const { port, next } = await startBalancer(t, { backends: [backend.url], websocket: { ping: '1s' } })
  const client = await rawClient(t, port)
  const closed = next('tunnel:close')
  client.send(upgradeHead())
  t.match(await closed, { closedBy: 'balancer', cause: 'ping', closeCode: 1001 })
  const nonces = [...client.received.matchAll(PING_TO_CLIENT)].map(([, nonce]) => nonce)
  t.equal(nonces.length, 2)
  t.not(nonces[0], nonces[1])
  await until(() => codes.length === 1, 'the backend to hear')
  t.strictSame(codes, [1001])
})

t.test('a backend that answers two Pings with nothing is cut, and its client hears 1001', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', (head: Buffer) => socket.write(switchingFor(head)))
  })
  const { url, next } = await startBalancer(t, { backends: [backend.url], websocket: { ping: '1s' } })
  const client = new WebSocket(url.replace('http', 'ws'))
  const closed = next('tunnel:close')
  const [code] = (await once(client, 'close')) as [number]
  t.equal(code, 1001)
  t.match(await closed, { closedBy: 'balancer', cause: 'ping', closeCode: 1001 })
  const { received } = await backend.connection(0)
  t.equal([...received.matchAll(PING_TO_BACKEND)].length, 2)
})

t.test('a client that is slow, but takes what it is sent, is not dead', async (t) => {
  const chunk = Buffer.alloc(64 * 1024)
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', () => {
      for (let i = 0; i < 1_000; i++) socket.send(chunk)
    })
  })
  const { port, balancer, next } = await startBalancer(t, {
    backends: [backend.url],
    websocket: { ping: '8s' },
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('101 Switching')
  const closed = next('tunnel:close')
  client.socket.pause()
  client.send(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97]))
  // Reads a little at a time for many periods, and never answers a Ping.
  const end = performance.now() + 2_500
  while (performance.now() < end) {
    client.socket.resume()
    await new Promise((resolve) => client.socket.once('data', resolve))
    client.socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  t.equal(balancer.snapshot().backends[0]!.tunnels, 1)
  client.reset()
  t.match(await closed, { cause: 'error' })
})

t.test('a backend that we do not read, because its client does not, is not dead', async (t) => {
  const chunk = Buffer.alloc(64 * 1024)
  const backend = await wsBackend(t, (socket) => {
    socket.once('message', () => {
      for (let i = 0; i < 1_000; i++) socket.send(chunk)
    })
  })
  const { port, balancer, next } = await startBalancer(t, {
    backends: [backend.url],
    websocket: { ping: '1s' },
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('101 Switching')
  const closed = next('tunnel:close')
  client.socket.pause()
  // Sends for many periods, so it is there, and reads nothing.
  const sending = setInterval(() => client.send(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97])), 10)
  t.teardown(() => clearInterval(sending))
  await until(() => balancer.snapshot().tunnels[0]!.duration > 12_000, 'many periods to pass')
  t.equal(balancer.snapshot().tunnels.length, 1)
  clearInterval(sending)
  // Now nobody shows life any more, and what waits for the client is not taken.
  t.match(await closed, { cause: 'ping' })
})

t.test('ping: false never pings; a reload switches it on for tunnels that are open', async (t) => {
  const backend = await wsBackend(t)
  const config = { backends: [backend.url], health: false, listen: { port: 0, host: '127.0.0.1' } } as const
  const { url, balancer } = await startBalancer(t, { ...config, websocket: { ping: false } })
  const client = new WebSocket(url.replace('http', 'ws'))
  let pings = 0
  client.on('ping', () => pings++)
  await once(client, 'open')
  await balancer.reload({ ...config, websocket: { ping: '500ms' } })
  t.equal(pings, 0)
  await until(() => pings > 0, 'a ping')
  client.close()
  await once(client, 'close')
})

t.test('within a long frame no Ping can be asked, so no silence is held against anybody', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', (head: Buffer) => socket.write(switchingFor(head)))
  })
  const { port, balancer, next } = await startBalancer(t, {
    backends: [backend.url],
    websocket: { ping: '1s' },
  })
  const client = await rawClient(t, port)
  const closed = next('tunnel:close')
  client.send(upgradeHead())
  await client.has('101 Switching')
  // One binary frame of 4 GiB, a byte at a time, for many periods; the backend waits for the whole message.
  client.send(Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]))
  for (let i = 0; i < 60; i++) {
    client.send('x')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.equal(balancer.snapshot().backends[0]!.tunnels, 1)
  client.reset()
  t.match(await closed, { closedBy: 'client', cause: 'error' })
})

function switchingFor(head: Buffer): string {
  const [, key = ''] = /sec-websocket-key: (.*)\r\n/i.exec(head.toString()) ?? []
  return switching({ 'Sec-WebSocket-Accept': acceptFor(key) })
}
