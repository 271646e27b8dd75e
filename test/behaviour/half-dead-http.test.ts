import { Agent, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { httpBackend, rawBackend } from '../support/backends.ts'
import { ask, rawClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

// Requests whose client or backend is gone before the end.

const GET = 'GET / HTTP/1.1\r\nHost: example.test\r\n\r\n'

t.test('a client that leaves during server-sent events takes the upstream request with it', async (t) => {
  const responses: ServerResponse[] = []
  const backend = await httpBackend(t, (_request, response) => {
    responses.push(response)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
  })
  const { port, next } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(GET)
  await client.has('data: 1')
  const closed = once(responses[0]!, 'close')
  const done = next('request:done')
  client.socket.destroy()
  await closed
  t.match(await done, { error: { code: 'WSLB_CLIENT_GONE' }, status: 200 })
})

t.test('a client that leaves before a slow answer takes the upstream request with it', async (t) => {
  const backend = await rawBackend(t)
  const { port, balancer, next } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(GET)
  await (await backend.connection(0)).has('\r\n\r\n')
  const done = next('request:done')
  client.reset()
  t.match(await done, { error: { code: 'WSLB_CLIENT_GONE' }, status: 499, attempts: 1 })
  await until(() => backend.open === 0, 'the upstream connection to close')
  t.equal(balancer.snapshot().backends[0]?.failures, 0, 'the backend is not to blame')
})

t.test('a client that leaves in the middle of its upload takes the upstream request with it', async (t) => {
  const backend = await rawBackend(t)
  const { port, next } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100\r\n\r\nhalf')
  await (await backend.connection(0)).has('half')
  const done = next('request:done')
  client.reset()
  t.match(await done, { error: { code: 'WSLB_CLIENT_GONE' } })
  await until(() => backend.open === 0, 'the upstream connection to close')
})

const cuts = {
  'with FIN, sized': ['Content-Length: 10', '12345', 'fin'],
  'with RST, sized': ['Content-Length: 10', '12345', 'rst'],
  'with FIN, chunked': ['Transfer-Encoding: chunked', '5\r\n12345\r\n', 'fin'],
  'with RST, chunked': ['Transfer-Encoding: chunked', '5\r\n12345\r\n', 'rst'],
} as const

for (const [name, [field, body, how]] of Object.entries(cuts)) {
  t.test(`a backend that dies in the middle of a body (${name}) resets the client`, async (t) => {
    const backend = await rawBackend(t)
    const { port, next } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(GET)
    const { socket, has } = await backend.connection(0)
    await has('\r\n\r\n')
    socket.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n${body}`)
    await client.has('12345')
    const done = next('request:done')
    if (how === 'fin') socket.end()
    else socket.resetAndDestroy()
    t.match(await done, { error: { code: 'WSLB_RESPONSE_CUT' } })
    t.equal(await client.closed, 'reset')
    t.notMatch(client.received, '0\r\n\r\n', 'no last chunk was made up')
    t.equal(backend.total, 1, 'it was not tried again')
  })
}

t.test('a backend that dies with head and part of the body in one segment resets the client', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345')),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(GET)
  await client.closed
  t.notMatch(client.received, /\r\n\r\n.{10}/s, 'not a complete answer')
})

t.test('a body that ends with the connection, as HTTP/1.0 has it, is complete', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it')),
  )
  const { url } = await startBalancer(t, { backends: [backend.url] })
  t.match(await ask(url), { status: 200, body: 'all of it' })
})

t.test('five requests on one client connection use one upstream connection', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('hello'))
  const { url, balancer } = await startBalancer(t, { backends: [backend.url] })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  for (let request = 0; request < 5; request++) {
    t.match(await ask(url, { agent }), { status: 200, body: 'hello' })
  }
  t.equal(backend.total, 1)
  t.equal(balancer.snapshot().connections, 1)
})

t.test('a backend that has closed a kept-alive connection costs nobody a request', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      // The second request on this connection is met by a reset: the race of every keep-alive timeout.
      socket.once('data', () => socket.resetAndDestroy())
    })
  })
  const { url } = await startBalancer(t, { backends: [backend.url] })
  t.match(await ask(url), { body: 'ok' })
  t.match(await ask(url), { status: 200, body: 'ok' }, 'sent again on a fresh connection')
})

t.test('pipelined requests are answered in order, one at a time', async (t) => {
  const paths: string[] = []
  const backend = await httpBackend(t, ({ url = '' }, response) => {
    paths.push(url)
    response.end(`answer to ${url};`)
  })
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(['/1', '/2', '/3'].map((path) => GET.replace('/ ', `${path} `)).join(''))
  await client.has('answer to /3;')
  t.match(client.received, /answer to \/1;.*answer to \/2;.*answer to \/3;/s)
  t.same(paths, ['/1', '/2', '/3'])
  client.reset()
})
