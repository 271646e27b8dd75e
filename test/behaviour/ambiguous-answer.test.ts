import t from 'tap'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { rawBackend } from '../support/backends.ts'
import { rawClient, switching, upgradeHead } from '../support/clients.ts'

// Answers of a backend that must not pass, judged by the bytes the client receives.

const GET = 'GET / HTTP/1.1\r\nHost: example.test\r\n\r\n'

const badAnswers: Record<string, string> = {
  'two different lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
  'the same length as a list': 'HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc',
  'length and chunks':
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'a NUL in a field': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n',
  'a bare CR in a field': 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n',
  'a 101 nobody asked for': switching(),
  'no HTTP at all': 'SSH-2.0-OpenSSH_9.6\r\n',
}

for (const [name, bytes] of Object.entries(badAnswers)) {
  t.test(`an answer becomes 502: ${name}`, async (t) => {
    const backend = await saying(t, bytes)
    const { port, next } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    const done = next('request:done')
    client.send(GET)
    await client.has('\r\n\r\n')
    t.match(client.received, /^HTTP\/1\.1 502 /)
    t.match(await done, { error: { code: 'WSLB_BAD_ANSWER' }, attempts: 1 })
    client.reset()
  })
}

const badUpgrades: Record<string, string> = {
  'a wrong Sec-WebSocket-Accept': switching({ 'Sec-WebSocket-Accept': 'AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }),
  'no Sec-WebSocket-Accept': switching({ 'Sec-WebSocket-Accept': undefined }),
  'two Sec-WebSocket-Accept': switching({ 'sec-websocket-accept': 'AAAA' }),
  'another protocol': switching({ Upgrade: 'h2c' }),
  'no protocol': switching({ Upgrade: undefined }),
  'malformed HTTP': 'HTTP/1.1 101 Switching Protocols\r\nX: a\0b\r\n\r\n',
}

for (const [name, bytes] of Object.entries(badUpgrades)) {
  t.test(`a 101 becomes 502: ${name}`, async (t) => {
    const backend = await saying(t, bytes)
    const { port, next } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    const rejected = next('upgrade:reject')
    client.send(upgradeHead() + 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.closed
    t.match(client.received, /^HTTP\/1\.1 502 /)
    t.match(await rejected, { error: { code: 'WSLB_BAD_ANSWER' }, attempts: 1 })
    for (const { received } of backend.connections) t.notMatch(received, 'hidden')
  })
}

t.test('a 200 to an upgrade is relayed and never a tunnel, whatever the client sends after it', async (t) => {
  const backend = await saying(
    t,
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  )
  const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('hello')
  client.send('GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n')
  t.equal(await client.closed, 'end')
  t.match(client.received, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(client.received, /^connection: close\r\n/im)
  t.ok(client.received.endsWith('hello'))
  t.equal(balancer.snapshot().backends[0]?.upgrades, 0)
  for (const { received } of backend.connections) t.notMatch(received, 'hidden')
})

t.test('103 Early Hints pass, other interim answers stay on their hop', async (t) => {
  const backend = await saying(
    t,
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(GET)
  await client.has(/ok$/)
  t.match(
    client.received,
    /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
  )
  client.reset()
})

t.test('bytes after a complete answer are no second answer', async (t) => {
  const surplus = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'
  const backend = await saying(t, `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${surplus}`)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const first = await rawClient(t, port)
  const second = await rawClient(t, port)
  first.send(GET)
  await first.has('\r\n\r\nok')
  second.send(GET)
  await second.has('\r\n\r\n')
  t.notMatch(first.received + second.received, 'forged')
  first.reset()
  second.reset()
})

/** A backend that says the same on every connection, once something has come. */
function saying(t: Scope, bytes: string) {
  return rawBackend(t, ({ socket }) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))))
}
