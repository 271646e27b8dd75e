import { once } from 'node:events'
import { type TLSSocket, connect } from 'node:tls'
import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { httpBackend, httpsBackend, rawBackend } from '../support/backends.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ask, rawClient, switching, upgradeHead, wsClient } from '../support/clients.ts'
import { WebSocket, WebSocketServer } from 'ws'

const certificate = await makeCertificate()

t.test('an https backend is verified against its authority', async (t) => {
  const backend = await httpsBackend(t, certificate, (_request, response) => response.end('secret'))
  const { url } = await startBalancer(t, { backends: [{ url: backend.url, tls: { ca: certificate.cert } }] })
  t.match(await ask(url), { status: 200, body: 'secret' })
})

t.test('an https backend that cannot be verified: 502, and the reason is told', async (t) => {
  const backend = await httpsBackend(t, certificate, (_request, response) => response.end('secret'))
  const { url, next } = await startBalancer(t, { backends: [backend.url] })
  const done = next('request:done')
  t.match(await ask(url), { status: 502, body: /WSLB_CONNECT_FAILED/ })
  t.match((await done).error?.message, /self-signed certificate/)
})

t.test('rejectUnauthorized: false accepts any certificate', async (t) => {
  const backend = await httpsBackend(t, certificate, (_request, response) => response.end('secret'))
  const { url } = await startBalancer(t, {
    backends: [{ url: backend.url, tls: { rejectUnauthorized: false } }],
  })
  t.match(await ask(url), { status: 200, body: 'secret' })
})

t.test('a WebSocket passes through TLS on both sides', async (t) => {
  const backend = await httpsBackend(t, certificate, () => {})
  new WebSocketServer({ server: backend.server }).on('connection', (socket) =>
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`)),
  )
  const { url } = await startBalancer(t, {
    listen: { port: 0, host: '127.0.0.1', tls: certificate },
    backends: [{ url: backend.url, tls: { ca: certificate.cert } }],
  })
  const client = await wsClient(t, url)
  client.send('hello')
  const [answer] = (await once(client, 'message')) as [Buffer]
  t.equal(answer.toString(), 'echo hello')
})

t.test('a client of a TLS listener is told apart: X-Forwarded-Proto, Secure cookie', async (t) => {
  const backend = await httpBackend(t, ({ headers }, response) =>
    response.end(String(headers['x-forwarded-proto'])),
  )
  const { url } = await startBalancer(t, {
    listen: { port: 0, host: '127.0.0.1', tls: 'self-signed' },
    backends: [backend.url],
  })
  const { body, headers } = await ask(url)
  t.equal(body, 'https')
  t.match(headers['set-cookie'], [/; Secure/])
})

t.test('on TLS too, a body cut short is no complete answer', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    ),
  )
  const { port } = await startBalancer(t, {
    listen: { port: 0, host: '127.0.0.1', tls: certificate },
    backends: [backend.url],
  })
  const client = await rawClient(t, port, { rejectUnauthorized: false })
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await client.has('abc')
  ;(await backend.connection(0)).socket.resetAndDestroy()
  await client.closed
  t.notMatch(client.received, '0\r\n\r\n')
})

t.test('half-close passes through TLS', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, {
    listen: { port: 0, host: '127.0.0.1', tls: certificate },
    backends: [backend.url],
  })
  const client = await rawClient(t, port, { rejectUnauthorized: false })
  client.send(upgradeHead())
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  upstream.socket.write(switching())
  await client.has('101')
  client.socket.end('bye')
  await upstream.has('bye')
  upstream.socket.end('answer')
  await client.has('answer')
  await client.closed
  t.pass()
})

t.test('a reload with a garbled certificate changes nothing, and says so', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('ok'))
  const lines: string[] = []
  const write = (_fields: object, message: string) => void lines.push(message)
  const config = { backends: [backend.url], health: false as const }
  const { balancer, port, url, next } = await startBalancer(
    t,
    { ...config, listen: { port: 0, host: '127.0.0.1', tls: certificate } },
    { logger: { debug: write, info: write, warn: write, error: write } },
  )
  const rejected = next('config:reject')
  for (const cert of [
    '-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n',
    './no-such-file.pem',
  ]) {
    await t.rejects(
      balancer.reload({ ...config, listen: { port, host: '127.0.0.1', tls: { ...certificate, cert } } }),
      { name: 'ConfigError' },
    )
  }
  t.match((await rejected).error.message, /listen.*cert/s)
  t.match(lines.join('\n'), /cert/)
  t.match(await ask(url), { status: 200, body: 'ok' })
  t.equal(await servedBy(port), 'test')
})

t.test('a reload with a new certificate serves it to new handshakes', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('ok'))
  const listen = { port: 0, host: '127.0.0.1' }
  const { balancer, port } = await startBalancer(t, {
    backends: [backend.url],
    listen: { ...listen, tls: certificate },
  })
  await balancer.reload({
    backends: [backend.url],
    health: false,
    listen: { ...listen, tls: await makeCertificate('renewed') },
  })
  t.equal(balancer.snapshot().listeners[0]?.port, port)
  t.equal(await servedBy(port), 'renewed')
})

t.test('a TLS session is not resumed under other settings than those it was verified by', async (t) => {
  const backend = await httpsBackend(t, certificate, () => {})
  new WebSocketServer({ server: backend.server }).on('connection', (socket) => socket.send('welcome'))
  let resumed = 0
  backend.server.on(
    'secureConnection',
    (socket: TLSSocket) => void (resumed += Number(socket.isSessionReused())),
  )
  const config = (ca: string) => ({
    listen: { port: 0, host: '127.0.0.1' },
    health: false as const,
    backends: [{ id: 'kept', url: backend.url, tls: { ca } }],
  })
  const { balancer, url } = await startBalancer(t, config(certificate.cert))
  const greeted = async () => {
    const client = new WebSocket(url.replace('http', 'ws'))
    const [first] = (await once(client, 'message')) as [Buffer]
    client.close()
    await once(client, 'close')
    return String(first)
  }
  t.equal(await greeted(), 'welcome')
  t.equal(await greeted(), 'welcome')
  t.equal(resumed, 1, 'with the same settings it is')
  const { changed } = await balancer.reload(config((await makeCertificate('stranger')).cert))
  t.same(changed, ['kept'])
  await t.rejects(greeted(), /502/)
  await balancer.reload(config(certificate.cert))
  t.equal(await greeted(), 'welcome')
})

/** Common name of the certificate a new client gets. */
async function servedBy(port: number): Promise<unknown> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return subject.CN
}
