import t from 'tap'
import { rawBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, rawClient, switching, upgradeHead } from '../support/clients.ts'

/** A backend that answers every request with these bytes. */
const answering = (t: Parameters<typeof rawBackend>[0], bytes: string) =>
  rawBackend(t, ({ socket }) => socket.once('data', () => socket.write(bytes, 'latin1')))

t.test('an Early Hint cannot keep the event loop busy', async (t) => {
  // Node's own check of a Link takes twice as long for every `;a=b`.
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: </x>${';a=b'.repeat(40)};"\r\n\r\n`
  const backend = await answering(t, `${hint}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await client.has('ok')
  t.match(client.received, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/x>;a=b/)
  client.reset()
})

t.test('of many Early Hints a few pass', async (t) => {
  const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n'
  const backend = await answering(t, `${hint.repeat(500)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await client.has('ok')
  t.equal(client.received.match(/103 Early Hints/g)?.length, 16)
  client.reset()
})

t.test('interim answers do not put the response timeout off for ever', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', () => {
      const drip = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 50)
      socket.on('close', () => clearInterval(drip))
    })
  })
  const { url } = await startBalancer(t, { backends: [backend.url], timeouts: { response: '300ms' } })
  t.equal((await ask(url)).status, 504)
})

for (const coding of ['gzip, chunked', 'chunked, gzip', 'gzip', 'identity']) {
  t.test(`a body coded as ${coding} is not passed on as something else`, async (t) => {
    const backend = await answering(
      t,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    )
    const { url, port } = await startBalancer(t, { backends: [backend.url] })
    t.equal((await ask(url)).status, 502)
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.closed
    t.match(client.received, /^HTTP\/1\.1 502 /)
  })
}

t.test('what a backend says before an upgrade is passed on clean', async (t) => {
  const cases: [answer: string, expected: RegExp][] = [
    ['HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n', /^HTTP\/1\.1 502 /],
    [
      'HTTP/1.1 401 Go\x01away\r\nContent-Length: 0\r\n\r\n',
      /^HTTP\/1\.1 (401 Unauthorized|502 Bad Gateway)\r\n/,
    ],
    [switching({ 'Content-Length': '50' }), /^HTTP\/1\.1 101 (?!.*content-length)/is],
  ]
  for (const [answer, expected] of cases) {
    const backend = await answering(t, answer)
    const { port } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has(/\r\n\r\n/)
    t.match(client.received, expected)
    client.reset()
  }
})
