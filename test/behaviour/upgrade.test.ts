import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { rawBackend, wsBackend } from '../support/backends.ts'
import { rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'

t.test('subprotocol and permessage-deflate are agreed between the ends, and messages pass', async (t) => {
  const backend = await wsBackend(t, undefined, {
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered: Set<string>) => [...offered][1] ?? false,
  })
  const { url } = await startBalancer(t, { backends: [backend.url] })
  const client = await wsClient(t, url, ['graphql-ws', 'graphql-transport-ws'], {
    perMessageDeflate: { threshold: 0 },
  })
  t.equal(client.protocol, 'graphql-transport-ws')
  t.match(client.extensions, 'permessage-deflate')
  for (const message of ['text', 'a'.repeat(100_000), randomBytes(300_000)]) {
    client.send(message)
    const [answer] = (await once(client, 'message')) as [Buffer]
    t.ok(answer.equals(Buffer.from(message)))
  }
  client.ping('are you there')
  t.equal(String((await once(client, 'pong'))[0]), 'are you there')
})

t.test(
  'the cookie is set on the 101, beside the application’s own; later upgrades keep their backend',
  async (t) => {
    const backends = await Promise.all(
      ['a', 'b'].map((name) =>
        wsBackend(t, (socket) => socket.send(name)).then((backend) => {
          backend.server.on('upgrade', () => {})
          return backend
        }),
      ),
    )
    const own = await rawBackend(t, ({ socket }) =>
      socket.once('data', () => socket.write(switching({ 'Set-Cookie': 'app=1', 'set-cookie': 'app2=2' }))),
    )
    const first = await startBalancer(t, { backends: [own.url] })
    const client = await rawClient(t, first.port)
    client.send(upgradeHead())
    const answer = await client.has('\r\n\r\n')
    t.match(answer.match(/^set-cookie: \S+/gim), [/app=1/, /app2=2/, /server=/])
    client.reset()

    const { url } = await startBalancer(t, {
      backends: backends.map(({ url }) => url),
      balance: inTurn(),
    })
    for (let turn = 0; turn < 2; turn++) {
      const one = await greeted(t, url)
      const two = await greeted(t, url, one.cookie)
      t.equal(two.name, one.name)
      t.equal(two.cookie, undefined, 'set only when it is new')
    }
  },
)

t.test('early bytes on both sides are delivered, and come first', async (t) => {
  const backend = await rawBackend(
    t,
    ({ socket, has }) => void has('\r\n\r\n').then(() => socket.write(`${switching()}from the backend;`)),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(`${upgradeHead()}from the client;`)
  await client.has(/\r\n\r\nfrom the backend;$/)
  const upstream = await backend.connection(0)
  await upstream.has(/\r\n\r\nfrom the client;$/)
  client.send('later')
  await upstream.has('from the client;later')
  t.pass()
  client.reset()
})

const declined: Record<string, [answer: string, body: string | RegExp]> = {
  'a sized body': [
    'HTTP/1.1 401 No Entry\r\nContent-Length: 5\r\nWWW-Authenticate: Basic\r\n\r\nhello',
    /\r\n\r\nhello$/,
  ],
  'a chunked body': [
    'HTTP/1.1 401 No Entry\r\nTransfer-Encoding: chunked\r\nWWW-Authenticate: Basic\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n',
    /\r\n\r\n(5\r\nhello\r\n6\r\n world|b\r\nhello world)\r\n0\r\n\r\n$/,
  ],
  'no body': ['HTTP/1.1 401 No Entry\r\nContent-Length: 0\r\nWWW-Authenticate: Basic\r\n\r\n', /\r\n\r\n$/],
}

for (const [name, [answer, body]] of Object.entries(declined)) {
  t.test(`a backend that declines is relayed whole: ${name}`, async (t) => {
    const backend = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.write(answer)))
    const { port, next } = await startBalancer(t, { backends: [backend.url] })
    const rejected = next('upgrade:reject')
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    t.equal(await client.closed, 'end')
    t.match(client.received, /^HTTP\/1\.1 401 No Entry\r\n/)
    t.match(client.received, /^www-authenticate: Basic\r\n/im)
    t.match(client.received, /^connection: close\r\n/im)
    t.match(client.received, body)
    t.match(await rejected, { status: 401, attempts: 1, error: undefined })
  })
}

t.test('a large answer instead of a 101 is relayed with back-pressure, whole', async (t) => {
  const size = 16 * 1024 * 1024
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => {
      socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${size}\r\n\r\n`)
      socket.write(Buffer.alloc(size, 'x'))
    }),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.closed
  t.equal(client.received.length - client.received.indexOf('\r\n\r\n') - 4, size)
})

t.test('a declining answer that is cut short resets the client', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () =>
      socket.end('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    ),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  t.equal(await client.closed, 'reset')
  t.notMatch(client.received, '0\r\n\r\n')
})

t.test('a declining answer that never ends lasts no longer than its client', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    ),
  )
  const { port, next } = await startBalancer(t, { backends: [backend.url] })
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('hello')
  client.reset()
  t.match(await rejected, { status: 403 })
})

async function greeted(t: { teardown(callback: () => unknown): void }, url: string, cookie = '') {
  const { WebSocket } = await import('ws')
  const client = new WebSocket(url.replace('http', 'ws'), { headers: { cookie } })
  t.teardown(() => client.terminate())
  const [[answer], [data]] = (await Promise.all([once(client, 'upgrade'), once(client, 'message')])) as [
    [IncomingMessage],
    [Buffer],
  ]
  return { name: data.toString(), cookie: answer.headers['set-cookie']?.[0]?.split(';')[0] }
}

t.test('another version of the protocol: 426 says which one it is', async (t) => {
  const backend = await wsBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead({ 'Sec-WebSocket-Version': '8' }))
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 426 Upgrade Required\r\n/)
  t.match(client.received, /^Upgrade: websocket\r$/im)
  t.match(client.received, /^Sec-WebSocket-Version: 13\r$/im)
  t.match(client.received, /^Connection: .*\bupgrade\b.*\r$/im)
})
