import { once } from 'node:events'
import t from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { systemClock } from '../../lib/core/clock.ts'
import { httpsBackend, wsBackend } from '../support/backends.ts'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { makeCertificate } from '../support/certificate.ts'
import { wsClient } from '../support/clients.ts'

const options = { clock: systemClock }
const MIB = 1024 * 1024

async function closed(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  return { code, reason: reason.toString() }
}

async function close(socket: WebSocket): Promise<void> {
  const done = closed(socket)
  socket.close()
  await done
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, binary) => socket.send(data, { binary }))
}

t.test('10 000 messages come back whole and in order', async (t) => {
  const backend = await wsBackend(t)
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url)
  const count = 10_000
  // Lengths around the three encodings of a frame's length (RFC 6455 §5.2).
  const sizes = [0, 1, 125, 126, 127, 1_000, 65_535, 65_536].map((size) => 'x'.repeat(size))
  const text = (i: number) => `${i}:${i % 100 === 0 ? sizes[(i / 100) % sizes.length] : ''}`
  let wrong = 0
  let received = 0
  const all = new Promise<void>((resolve) => {
    client.on('message', (data: Buffer, binary) => {
      if (data.toString() !== text(received) || binary !== (received % 2 === 1)) wrong++
      if (++received === count) resolve()
    })
  })
  for (let i = 0; i < count; i++) client.send(text(i), { binary: i % 2 === 1 })
  await all
  t.equal(wrong, 0)
  await close(client)
})

t.test('a message of 50 MiB passes', async (t) => {
  const backend = await wsBackend(t, echo, { maxPayload: 64 * MIB, perMessageDeflate: false })
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url, [], { maxPayload: 64 * MIB, perMessageDeflate: false })
  const sent = Buffer.alloc(50 * MIB)
  for (let i = 0; i < sent.length; i += 4) sent.writeInt32LE(Math.imul(i, 2_654_435_761), i)
  client.send(sent)
  const [received] = (await once(client, 'message')) as [Buffer]
  t.ok(received.equals(sent))
  await close(client)
})

t.test('a message in fragments stays in fragments of the same message', async (t) => {
  const backend = await wsBackend(t)
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url)
  for (const part of ['one ', 'two ', 'three']) client.send(part, { fin: part === 'three' })
  const [message] = (await once(client, 'message')) as [Buffer]
  t.equal(message.toString(), 'one two three')
  await close(client)
})

t.test('pings and pongs pass, both ways, with their payload', async (t) => {
  let accepted!: (socket: WebSocket) => void
  const connected = new Promise<WebSocket>((resolve) => (accepted = resolve))
  const backend = await wsBackend(t, (socket) => accepted(socket))
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url)
  const server = await connected
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    const heard = once(to, 'ping') as Promise<[Buffer]>
    from.ping('are you there?')
    t.equal(String((await heard)[0]), 'are you there?')
    t.equal(String(((await once(from, 'pong')) as [Buffer])[0]), 'are you there?')
  }
  await close(client)
})

t.test('close codes and reasons pass unchanged, whoever closes', async (t) => {
  const answers: Promise<{ code: number; reason: string }>[] = []
  const backend = await wsBackend(t, (socket) => {
    answers.push(closed(socket))
    socket.on('message', (data: Buffer) => {
      const { code, reason } = JSON.parse(data.toString()) as { code: number; reason: string }
      socket.close(code, reason)
    })
  })
  const { url, next } = await startBalancer(t, { backends: [backend.url] }, options)
  const cases = [
    { code: 1000, reason: '' },
    { code: 1001, reason: 'going away' },
    { code: 1011, reason: 'server error' },
    { code: 1013, reason: 'try again later' },
    { code: 3000, reason: '{"reconnect":false}' },
    { code: 4999, reason: 'ü'.repeat(61) },
  ]
  for (const expected of cases) {
    const { code, reason } = expected
    const byClient = await wsClient(t, url)
    let event = next('tunnel:close')
    byClient.close(code, reason)
    await once(byClient, 'close')
    t.same(await answers.pop(), expected, `the client closes with ${code}`)
    t.match(await event, { closedBy: 'client', cause: 'normal', closeCode: code })

    const byBackend = await wsClient(t, url)
    event = next('tunnel:close')
    byBackend.send(JSON.stringify(expected))
    t.same(await closed(byBackend), expected, `the backend closes with ${code}`)
    t.match(await event, { closedBy: 'backend', cause: 'normal', closeCode: code })
    await answers.pop()
  }
  const silent = await wsClient(t, url)
  silent.close()
  t.equal((await closed(silent)).code, 1005, 'and no code stays no code')
})

t.test('the subprotocol that the backend chooses is the one the client gets', async (t) => {
  const backend = await wsBackend(t, echo, {
    handleProtocols: (offered) => (offered.has('graphql-ws') ? 'graphql-ws' : false),
  })
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url, ['mqtt', 'graphql-ws'])
  t.equal(client.protocol, 'graphql-ws')
  await close(client)
})

t.test('permessage-deflate is agreed on between the ends, parameters included', async (t) => {
  const backend = await wsBackend(t, echo, { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10 } })
  const { url, next } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url, [], { perMessageDeflate: { threshold: 0 } })
  t.match(client.extensions, 'permessage-deflate')
  const text = 'the same words again and again, '.repeat(10_000)
  for (let i = 0; i < 20; i++) {
    client.send(`${i} ${text}`)
    t.equal(String(((await once(client, 'message')) as [Buffer])[0]), `${i} ${text}`)
  }
  const event = next('tunnel:close')
  await close(client)
  const { bytesIn, bytesOut } = await event
  t.ok(bytesIn < text.length && bytesOut < text.length, 'less went through than one message is long')
})

t.test('without compression at the backend there is none', async (t) => {
  const backend = await wsBackend(t, echo, { perMessageDeflate: false })
  const { url } = await startBalancer(t, { backends: [backend.url] }, options)
  const client = await wsClient(t, url)
  t.equal(client.extensions, '')
  await close(client)
})

t.test('200 sockets at a time, each with its own words', async (t) => {
  const backends = await Promise.all([wsBackend(t), wsBackend(t), wsBackend(t)])
  const urls = backends.map(({ url }) => url)
  const { url, balancer } = await startBalancer(t, { backends: urls, balance: inTurn() }, options)
  const clients = await Promise.all(Array.from({ length: 200 }, () => wsClient(t, url)))
  t.same(
    balancer.snapshot().backends.map(({ tunnels }) => tunnels),
    [67, 67, 66],
  )
  const heard = await Promise.all(
    clients.map(async (client, i) => {
      const words: string[] = []
      const all = new Promise<void>((resolve) => {
        client.on('message', (data: Buffer) => {
          if (words.push(data.toString()) === 20) resolve()
        })
      })
      for (let n = 0; n < 20; n++) client.send(`${i}/${n}`)
      await all
      return words
    }),
  )
  t.same(
    heard,
    clients.map((_, i) => Array.from({ length: 20 }, (_, n) => `${i}/${n}`)),
  )
  await Promise.all(clients.map(close))
})

t.test('wss to us, wss to the backend', async (t) => {
  const certificate = await makeCertificate()
  const backend = await httpsBackend(t, certificate, (_request, response) => response.end())
  const server = new WebSocketServer({ server: backend.server })
  server.on('connection', (socket, request) => {
    socket.once('message', () => {
      socket.send(JSON.stringify([request.headers['x-forwarded-proto'], request.headers.host]))
      echo(socket)
    })
  })
  const { url, port } = await startBalancer(
    t,
    {
      listen: { port: 0, host: '127.0.0.1', tls: certificate },
      backends: [{ url: backend.url, tls: { ca: certificate.cert } }],
    },
    options,
  )
  t.match(url, 'https://')
  const client = await wsClient(t, url, [], { ca: certificate.cert, rejectUnauthorized: true })
  client.send('who am I?')
  const [greeting] = (await once(client, 'message')) as [Buffer]
  t.same(JSON.parse(String(greeting)), ['https', `127.0.0.1:${port}`])
  const sent = Buffer.alloc(2 * MIB, 'secret')
  client.send(sent)
  const [received] = (await once(client, 'message')) as [Buffer]
  t.ok(received.equals(sent))
  await close(client)
})
