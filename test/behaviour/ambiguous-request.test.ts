import t from 'tap'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { rawBackend } from '../support/backends.ts'
import { head, rawClient, switching, upgradeHead } from '../support/clients.ts'

// Requests that two readers could read differently, judged by the bytes the backend receives.

const BODY = '5\r\nhello\r\n0\r\n\r\n'
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: example.test\r\n\r\n'

function post(fields: string, body = '', line = 'POST / HTTP/1.1'): string {
  return `${line}\r\nHost: example.test\r\n${fields}\r\n\r\n${body}`
}

const refused: Record<string, [request: string, status: RegExp]> = {
  'Transfer-Encoding and Content-Length': [
    post('Transfer-Encoding: chunked\r\nContent-Length: 5', BODY),
    /400/,
  ],
  'Content-Length and Transfer-Encoding': [
    post('Content-Length: 5\r\nTransfer-Encoding: chunked', BODY),
    /400/,
  ],
  'two codings in a list': [post('Transfer-Encoding: gzip, chunked', BODY), /400|501/],
  'chunked twice in a list': [post('Transfer-Encoding: chunked, chunked', BODY), /400|501/],
  'chunked twice in two fields': [
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', BODY),
    /400|501/,
  ],
  'chunked and identity': [
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', BODY),
    /400|501/,
  ],
  'an empty coding': [post('Transfer-Encoding:', BODY), /400|501/],
  'an unknown coding': [post('Transfer-Encoding: xchunked', BODY), /400|501/],
  'a coding in quotes': [post('Transfer-Encoding: "chunked"', BODY), /400|501/],
  'a coding with a parameter': [post('Transfer-Encoding: chunked;a=b', BODY), /400|501/],
  'a coding behind a vertical tab': [post('Transfer-Encoding: \x0bchunked', BODY), /400|501/],
  'a space before the colon': [post('Transfer-Encoding : chunked', BODY), /400|501/],
  'a folded field': [post('Transfer-Encoding:\r\n chunked', BODY), /400|501/],
  'a folded name': [post('X: y\r\n Transfer-Encoding: chunked', BODY), /400|501/],
  'Transfer-Encoding with HTTP/1.0': [
    post('Transfer-Encoding: chunked\r\nConnection: keep-alive', BODY, 'POST / HTTP/1.0'),
    /400|501/,
  ],
  'two different lengths': [post('Content-Length: 5\r\nContent-Length: 6', 'hello'), /400/],
  'the same length twice': [post('Content-Length: 5\r\nContent-Length: 5', 'hello'), /400/],
  'a list of lengths': [post('Content-Length: 5, 5', 'hello'), /400/],
  'a signed length': [post('Content-Length: +5', 'hello'), /400/],
  'a hexadecimal length': [post('Content-Length: 0x5', 'hello'), /400/],
  'an empty length': [post('Content-Length:', 'hello'), /400/],
  'two hosts': [head('GET / HTTP/1.1', { Host: 'a', host: 'b' }), /400/],
  'no host': [head('GET / HTTP/1.1'), /400/],
  'a bare LF in a field': [post('X: a\nTransfer-Encoding: chunked', BODY), /400/],
  'a bare CR in a field': [post('X: a\rTransfer-Encoding: chunked', BODY), /400/],
  'a NUL in a field': [post('X: a\0b'), /400/],
  'a malformed chunk size': [post('Transfer-Encoding: chunked', '0x5\r\nhello\r\n0\r\n\r\n'), /400/],
  'a target that is no path': [head('GET example.test HTTP/1.1', { Host: 'a' }), /400/],
  'a target of another scheme': [head('GET ftp://example.test/ HTTP/1.1', { Host: 'a' }), /400/],
  'a target with a user': [head('GET http://good@evil/ HTTP/1.1', { Host: 'good' }), /400/],
  'a target with a user and a password': [head('GET http://a:b@evil/ HTTP/1.1', { Host: 'a' }), /400/],
  'a target with an empty host': [head('GET http:///path HTTP/1.1', { Host: 'a' }), /400/],
  'a target with a port alone': [head('GET http://:80/ HTTP/1.1', { Host: 'a' }), /400/],
  'a right target beside a wrong Host': [head('GET http://a/ HTTP/1.1', { Host: 'a@b' }), /400/],
  'a target with a fragment': [head('GET /path#fragment HTTP/1.1', { Host: 'a' }), /400/],
  'a target with a fragment for a path': [head('GET http://a#b HTTP/1.1', { Host: 'a' }), /400/],
  // 400, not 505: what follows on the connection cannot be trusted either.
  'HTTP/2.0 in the request line': [head('GET / HTTP/2.0', { Host: 'a', Connection: 'keep-alive' }), /400/],
  'HTTP/0.9 in the request line': [head('GET / HTTP/0.9', { Host: 'a', Connection: 'keep-alive' }), /400/],
}

const badHosts = ['a b', 'a/../b', 'http://a', 'a@b', '[::1', '[::1]x', '[1:2]', '::1', 'a:b:c', 'a:b', ':80']
for (const host of [...badHosts, '..', 'a..b', 'a,b', 'a%2fb', 'a?b', 'a#b', 'a\\b', 'a\xe4']) {
  refused[`the Host ${host}`] = [head('GET / HTTP/1.1', { Host: host }), /400/]
}

for (const [name, [request, status]] of Object.entries(refused)) {
  t.test(`refused: ${name}`, async (t) => {
    const backend = await answering(t)
    const { port } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(request + HIDDEN)
    await client.closed
    t.match(client.received, /^HTTP\/1\.1 \d\d\d /)
    t.match(client.received.slice(9, 12), status)
    t.equal(client.received.match(/HTTP\/1\.1 \d/g)?.length, 1, 'one answer, then the end')
    for (const { received } of backend.connections) t.notMatch(received, /hidden|\r\n\r\n/)
  })
}

for (const host of [
  'a',
  'a:',
  'a:8080',
  'a.b.',
  'under_score.test',
  '127.0.0.1:80',
  '[::1]',
  '[::1]:80',
  '',
]) {
  for (const line of host ? ['GET / HTTP/1.1', `GET http://${host}/ HTTP/1.1`] : ['GET / HTTP/1.1']) {
    t.test(`the Host "${host}" is right, and arrives: ${line}`, async (t) => {
      const backend = await answering(t)
      const { port } = await startBalancer(t, { backends: [backend.url] })
      const client = await rawClient(t, port)
      client.send(head(line, { Host: host }))
      await client.has('HTTP/1.1 200')
      const [received = ''] = backend.connections.map(({ received }) => received)
      t.match(received, 'GET / HTTP/1.1\r\n')
      t.equal(/^host: ?(.*)\r$/im.exec(received)?.[1], host)
      client.reset()
    })
  }
}

t.test('a host in the target wins over the field', async (t) => {
  const backend = await answering(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(head('GET http://target.test?x=1 HTTP/1.1', { Host: 'field.test' }))
  await client.has('HTTP/1.1 200')
  const [received = ''] = backend.connections.map(({ received }) => received)
  t.match(received, 'GET /?x=1 HTTP/1.1\r\n')
  t.match(received, /^host: target\.test\r$/im)
  t.notMatch(received, 'field.test')
  client.reset()
})

for (const method of ['DELETE', 'OPTIONS', 'GET']) {
  t.test(`a chunked ${method} with a second request inside is one request`, async (t) => {
    const backend = await answering(t)
    const { port } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    const size = HIDDEN.length.toString(16)
    client.send(
      post('Transfer-Encoding: chunked', `${size}\r\n${HIDDEN}\r\n0\r\n\r\n`, `${method} /one HTTP/1.1`),
    )
    await client.has('HTTP/1.1 200')
    const all = backend.connections.map(({ received }) => received).join('')
    t.equal(all.match(/ HTTP\/1\.1\r\n/g)?.length, 2, 'the request, and the text that looks like one')
    t.match(all, /^transfer-encoding: chunked\r\n/im, 'framed as a body')
    t.match(all.slice(all.indexOf('\r\n\r\n')), `${size}\r\n${HIDDEN}\r\n`)
    client.reset()
  })
}

t.test(
  'a Connection list removes what it names, but neither identity nor framing nor our own fields',
  async (t) => {
    const backend = await answering(t)
    const { port } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    const names =
      'Host, Content-Length, Cookie, Authorization, X-Forwarded-For, X-Forwarded-Proto, X-Private, close'
    client.send(
      post(
        `Connection: ${names}\r\nCookie: a=b\r\nAuthorization: c\r\nX-Private: d\r\nContent-Length: 5`,
        'hello',
      ),
    )
    await client.closed
    const [{ received } = { received: '' }] = backend.connections
    t.match(received, /^host: example\.test\r\n/im)
    t.match(received, /^content-length: 5\r\n/im)
    t.match(received, /^cookie: a=b\r\n/im)
    t.match(received, /^authorization: c\r\n/im)
    t.match(received, /^x-forwarded-for: 127\.0\.0\.1\r\n/im)
    t.match(received, /^x-forwarded-proto: http\r\n/im)
    t.notMatch(received, /x-private/i)
    t.ok(received.endsWith('hello'))
  },
)

t.test('hop-by-hop fields stay on their hop, in both directions', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n' +
          'Keep-Alive: timeout=99\r\nProxy-Authenticate: Basic\r\nProxy-Connection: x\r\nX-End: 1\r\n\r\n',
      ),
    ),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(
    post(
      'Connection: keep-alive\r\nKeep-Alive: timeout=99\r\nTE: trailers\r\nProxy-Authorization: secret\r\n' +
        'Proxy-Connection: keep-alive\r\nX-End: 1',
      '',
      'GET / HTTP/1.1',
    ),
  )
  await client.has('\r\n\r\n')
  const [{ received } = { received: '' }] = backend.connections
  t.match(received, /^x-end: 1\r\n/im)
  t.notMatch(received, /timeout=99|^te:|proxy-/im)
  t.match(client.received, /^x-end: 1\r\n/im)
  t.notMatch(client.received, /timeout=99|x-hop|proxy-/i)
  client.reset()
})

t.test('a backend of an upgrade sees no token but websocket', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.write(switching())))
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(
    upgradeHead({
      Upgrade: 'h2c, websocket, IRC/6.9',
      Connection: 'Upgrade, HTTP2-Settings',
      'HTTP2-Settings': 'AA',
    }),
  )
  await client.has('101')
  const [{ received } = { received: '' }] = backend.connections
  t.match(received, /^upgrade: websocket\r\n/im)
  t.match(received, /^connection: upgrade\r\n/im)
  t.notMatch(received, /h2c|irc|http2-settings/i)
  client.reset()
})

t.test('an offer of h2c on an ordinary request is not taken up: an ordinary 200', async (t) => {
  const backend = await answering(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA'
  client.send(post(offer, '', 'GET /first HTTP/1.1'))
  await client.has('HTTP/1.1 200 OK')
  client.send(post(`${offer}\r\nContent-Length: 5`, 'hello', 'POST /second HTTP/1.1'))
  await client.has(/(HTTP\/1\.1 200 OK[^]*){2}/)
  const all = backend.connections.map(({ received }) => received).join('')
  t.match(all, /^GET \/first HTTP\/1\.1\r\n/)
  t.match(all, /POST \/second HTTP\/1\.1\r\n[^]*\r\n\r\nhello$/)
  t.notMatch(all, /h2c|http2-settings/i)
  client.reset()
})

const handshakes: Record<string, [request: string, status: number]> = {
  'a body by Content-Length': [upgradeHead({ 'Content-Length': '5' }) + 'hello', 400],
  'a body by Transfer-Encoding': [upgradeHead({ 'Transfer-Encoding': 'chunked' }) + BODY, 400],
  'two keys': [upgradeHead({ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }), 400],
  'no key': [upgradeHead({ 'Sec-WebSocket-Key': undefined }), 400],
  'a key of 15 bytes': [upgradeHead({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub24=' }), 400],
  'version 8': [upgradeHead({ 'Sec-WebSocket-Version': '8' }), 426],
  'no version': [upgradeHead({ 'Sec-WebSocket-Version': undefined }), 426],
  'the method POST': [upgradeHead({}, 'POST /chat HTTP/1.1'), 400],
  'HTTP/1.0': [upgradeHead({}, 'GET /chat HTTP/1.0'), 400],
  'HTTP/2.0': [upgradeHead({}, 'GET /chat HTTP/2.0'), 400],
  'a target with a user': [upgradeHead({}, 'GET ws://good@evil/chat HTTP/1.1'), 400],
  'an http target with a user': [upgradeHead({}, 'GET http://good@evil/chat HTTP/1.1'), 400],
  'a Host with a user': [upgradeHead({ Host: 'a@b' }), 400],
  'a fragment': [upgradeHead({}, 'GET /chat#x HTTP/1.1'), 400],
}

for (const [name, [request, status]] of Object.entries(handshakes)) {
  t.test(`a handshake is refused with ${status}: ${name}`, async (t) => {
    const backend = await rawBackend(t)
    const { port } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(request + HIDDEN)
    t.equal(await client.closed, 'end')
    t.match(client.received, `HTTP/1.1 ${status} `)
    t.equal(client.received.match(/HTTP\/1\.1 \d/g)?.length, 1, 'nothing left behind was read as a request')
    if (status === 426) t.match(client.received, /^Sec-WebSocket-Version: 13\r\n/im)
    t.equal(backend.total, 0, 'nothing was dialled')
  })
}

t.test('CONNECT is refused', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n')
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 405 /)
  t.equal(backend.total, 0)
})

/** A backend that answers every read with a 200. */
function answering(t: Scope) {
  return rawBackend(t, ({ socket }) =>
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')),
  )
}
