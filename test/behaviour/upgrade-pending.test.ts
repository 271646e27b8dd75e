import { connect } from 'node:net'
import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { deadUrl, httpBackend, httpsBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ACCEPT, rawClient, switching, upgradeHead } from '../support/clients.ts'
import { until } from '../support/until.ts'

// What can go wrong between the client's handshake and the 101.

t.test(
  'a client that resets while its upgrade is pending takes the dialled connection with it',
  async (t) => {
    const backend = await rawBackend(t)
    const { port, next } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await (await backend.connection(0)).has('\r\n\r\n')
    const rejected = next('upgrade:reject')
    client.reset()
    t.match(await rejected, { error: { code: 'WSLB_CLIENT_GONE' }, attempts: 1 })
    await until(() => backend.open === 0, 'the upstream connection to close')
    t.equal(backend.total, 1, 'it was not tried again')
  },
)

t.test(
  'a client that half-closes while a backend never answers is answered at the handshake timeout',
  async (t) => {
    const backend = await rawBackend(t)
    const { port } = await startBalancer(t, {
      backends: [backend.url],
      websocket: { handshakeTimeout: '2s' },
    })
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    client.socket.end()
    await client.has('HTTP/1.1 504 Gateway Timeout\r\n')
    await client.closed
    await until(() => backend.open === 0, 'the upstream connection to close')
    t.match(client.received, /WSLB_HANDSHAKE_TIMEOUT/)
  },
)

t.test('a client that half-closes while pending still gets its tunnel', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  client.socket.end('early')
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  upstream.socket.write(switching() + 'answer')
  await client.has('answer')
  await upstream.has('early')
  await until(() => upstream.ended, 'the FIN to be passed on')
  upstream.socket.end('last')
  await client.has('last')
  t.equal(await client.closed, 'end')
})

t.test('a backend that accepts and never answers is failed over', async (t) => {
  const silent = await rawBackend(t)
  const lively = await wsBackend(t)
  const { port, next } = await startBalancer(t, {
    backends: [silent.url, lively.url],
    websocket: { handshakeTimeout: '2s' },
  })
  const opened = next('tunnel:open')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('101 Switching Protocols')
  t.match(await opened, { attempts: 2, backend: lively.url.slice(7) })
  await until(() => silent.open === 0, 'the silent connection to close')
})

t.test('backends that all stay silent: 504', async (t) => {
  const backends = [await rawBackend(t), await rawBackend(t)]
  const { port, next } = await startBalancer(t, {
    backends: backends.map(({ url }) => url),
    websocket: { handshakeTimeout: '2s' },
  })
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('HTTP/1.1 504 ')
  t.equal(await client.closed, 'end')
  t.match(await rejected, { status: 504, attempts: 2 })
  t.same(
    backends.map(({ total }) => total),
    [1, 1],
    'each was tried once',
  )
})

t.test('a handshake with a dead backend is served by a live one', async (t) => {
  const lively = await wsBackend(t)
  const { port, balancer } = await startBalancer(t, { backends: [await deadUrl(), lively.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  t.match(await client.has('101 Switching Protocols'), ACCEPT)
  t.match(balancer.snapshot().backends, [
    { failures: 1, load: 0 },
    { failures: 0, load: 1 },
  ])
})

t.test('a backend that hangs up instead of answering is failed over', async (t) => {
  const rude = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.resetAndDestroy()))
  const polite = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.end()))
  const lively = await wsBackend(t)
  const { port, next } = await startBalancer(t, { backends: [rude.url, polite.url, lively.url] })
  const opened = next('tunnel:open')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('101 Switching Protocols')
  t.match(await opened, { attempts: 3 })
})

t.test('with every backend dead the client gets 502', async (t) => {
  const { port, next } = await startBalancer(t, { backends: [await deadUrl(), await deadUrl()] })
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead({ Accept: 'application/json' }))
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  t.match(client.received, '{"error":"WSLB_CONNECT_FAILED","message":"Bad Gateway"}')
  t.match((await rejected).error?.message, /ECONNREFUSED/, 'the reason is told to us, not to the client')
})

t.test('early bytes are bounded, and dropped when the upgrade is refused', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  client.send('GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4_000))
  upstream.socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  t.equal(await client.closed, 'end')
  t.match(client.received, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.equal(client.received.match(/HTTP\/1\.1 \d/g)?.length, 1, 'one answer')
  t.notMatch(upstream.received, 'hidden')
  t.equal(backend.total, 1)
})

t.test('early bytes beyond what is kept wait in the kernel, and all arrive after the 101', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  const early = 'x'.repeat(600_000)
  client.send(upgradeHead() + early)
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  t.notMatch(upstream.received, 'xxx', 'nothing before the backend has agreed')
  upstream.socket.write(switching())
  await until(() => upstream.received.endsWith(early), 'every early byte')
})

t.test('a hook decides before anything is dialled, and a client that leaves meanwhile ends it', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end())
  let asked: AbortSignal | undefined
  const { port, next } = await startBalancer(t, {
    backends: [backend.url],
    hooks: {
      onUpgrade: (_request, { signal }) => {
        asked = signal
        return new Promise(() => {})
      },
    },
  })
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await until(() => asked !== undefined, 'the hook to be called')
  client.reset()
  t.match(await rejected, { error: { code: 'WSLB_CLIENT_GONE' }, attempts: 0 })
  t.match(asked?.reason, { code: 'WSLB_CLIENT_GONE' })
  t.equal(backend.total, 0)
})

t.test('the handshake timeout includes the time for TCP and TLS', async (t) => {
  const backend = await httpsBackend(t, await makeCertificate(), () => {})
  backend.server.on('upgrade', () => {})
  // Lets nothing through for more than half of the handshake timeout.
  const slow = await rawBackend(t, ({ socket }) => {
    socket.pause()
    setTimeout(() => {
      const onward = connect(backend.port, '127.0.0.1')
      onward
        .on('error', () => {})
        .pipe(socket)
        .pipe(onward)
    }, 600)
  })
  const { port, next } = await startBalancer(t, {
    backends: [{ url: slow.url.replace('http', 'https'), tls: { rejectUnauthorized: false } }],
    timeouts: { connect: '20s' },
    websocket: { handshakeTimeout: '20s' },
    attempts: 1,
  })
  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  const { status, duration, error } = await rejected
  t.match({ status, error }, { status: 504, error: { code: 'WSLB_HANDSHAKE_TIMEOUT' } })
  t.ok(duration >= 19_000 && duration < 28_000, `after ${Math.round(duration)} ms of the balancer`)
  await client.closed
})
