import { type ClientRequest, type IncomingMessage, type ServerResponse, request } from 'node:http'
import { once } from 'node:events'
import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { httpBackend, rawBackend } from '../support/backends.ts'
import { ask, rawClient } from '../support/clients.ts'

t.test('status, reason, repeated fields and the sticky cookie beside the application’s own', async (t) => {
  const backend = await httpBackend(t, (_request, response) => {
    response.writeHead(418, 'Short And Stout', [
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['X-Odd', 'caf\xe9'],
    ])
    response.end('tea')
  })
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n')
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 418 Short And Stout\r\n/)
  t.match(client.received, 'X-Odd: caf\xe9\r\n')
  t.match(client.received.match(/^set-cookie: \S+/gim), [/a=1/, /b=2/, /server=/])
})

t.test('our cookie stays here, the application’s own pass', async (t) => {
  const backend = await httpBackend(t, ({ headers }, response) => response.end(String(headers.cookie)))
  const { url } = await startBalancer(t, { backends: [backend.url] })
  const { headers } = await ask(url)
  const ours = headers['set-cookie']?.[0]?.split(';')[0] ?? ''
  const again = await ask(url, { headers: { cookie: `a=1; ${ours}; b=2` } })
  t.equal(again.body, 'a=1; b=2')
  t.equal(again.headers['set-cookie'], undefined, 'set only when it is new')
  t.ok((await ask(url, { headers: { cookie: 'server=forged' } })).headers['set-cookie'], 'forged is absent')
})

t.test('HEAD, 204 and 304 have no body, and the connection goes on', async (t) => {
  const backend = await httpBackend(t, ({ url }, response) => {
    if (url === '/head') response.writeHead(200, { 'content-length': '1000' })
    else
      response.writeHead(Number(url?.slice(1)), url === '/304' ? { etag: '"1"', 'content-length': '9' } : {})
    response.end()
  })
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  const rest = ' HTTP/1.1\r\nHost: example.test\r\n\r\n'
  client.send(`HEAD /head${rest}GET /204${rest}GET /304${rest}HEAD /head${rest}`)
  await client.has(/(HTTP\/1\.1 [^]*?\r\n\r\n){4}$/)
  t.same(
    client.received.match(/^HTTP\/1\.1 \d+/gm),
    ['200', '204', '304', '200'].map((code) => `HTTP/1.1 ${code}`),
  )
  t.equal(client.received.match(/content-length: 1000/gi)?.length, 2)
  t.notMatch(client.received, /transfer-encoding/i)
  client.reset()
})

t.test('the first server-sent event comes at once, and so does every other', async (t) => {
  const responses: ServerResponse[] = []
  const backend = await httpBackend(t, (_request, response) => {
    responses.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.flushHeaders()
  })
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await client.has(/text\/event-stream[^]*\r\n\r\n$/)
  for (let event = 1; event <= 3; event++) {
    responses[0]!.write(`data: ${event}\n\n`)
    await client.has(`data: ${event}\n\n`)
  }
  t.match(client.received, /^transfer-encoding: chunked\r\n/im)
  client.reset()
})

t.test('a request body is streamed, and answered, while it comes', async (t) => {
  const backend = await httpBackend(t, (message, response) => void message.pipe(response.writeHead(200)))
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('POST / HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (const word of ['one', 'two', 'six']) {
    client.send(`3\r\n${word}\r\n`)
    await client.has(word)
  }
  client.send('0\r\n\r\n')
  t.ok((await client.has(/0\r\n\r\n$/)).endsWith('\r\n0\r\n\r\n'))
  client.reset()
})

t.test('trailers of a response pass when they were announced', async (t) => {
  const backend = await httpBackend(t, (_request, response) => {
    response.writeHead(200, { trailer: 'X-Sum' })
    response.write('body')
    response.addTrailers({ 'X-Sum': '42' })
    response.end()
  })
  const { url } = await startBalancer(t, { backends: [backend.url] })
  t.match(await ask(url), { body: 'body', trailers: { 'x-sum': '42' } })
})

t.test('absolute form, HTTP/1.0, OPTIONS * and HTTP/1.0 without a Host', async (t) => {
  const backend = await httpBackend(t, ({ method, url, headers: { host } }, response) =>
    response.end(`${method} ${url} ${host}`),
  )
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const said = async (text: string) => {
    const client = await rawClient(t, port)
    client.send(text)
    await client.closed
    return client.received
  }
  t.match(
    await said('GET http://real.test/path?q HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n'),
    'GET /path?q real.test',
  )
  const old = await said('GET /old HTTP/1.0\r\nHost: example.test\r\n\r\n')
  t.match(old, 'GET /old example.test')
  t.notMatch(old, /transfer-encoding/i)
  t.match(await said('GET /bare HTTP/1.0\r\n\r\n'), /HTTP\/1\.1 200 [^]*GET \/bare /)
  t.match(
    await said('OPTIONS * HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n'),
    /HTTP\/1\.1 (200|400) /,
  )
})

t.test('100 Continue is sent once a backend is there to take the body', async (t) => {
  const backend = await httpBackend(t, (message, response) => void message.pipe(response))
  const { url } = await startBalancer(t, { backends: [backend.url] })
  const outgoing = expecting(url)
  await once(outgoing, 'continue')
  outgoing.end('payload')
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 200)
  t.equal(String((await answer.toArray())[0]), 'payload')
})

t.test('a refusal comes instead of 100 Continue, and the body is never asked for', async (t) => {
  const backend = await rawBackend(t)
  const { url } = await startBalancer(t, {
    backends: [backend.url],
    hooks: { onRequest: () => ({ status: 413, body: 'too large' }) },
  })
  const outgoing = expecting(url)
  outgoing.on('continue', () => t.fail('nobody wants the body'))
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 413)
  t.equal(answer.headers.connection, 'close')
  outgoing.destroy()
  t.equal(backend.total, 0)
})

t.test('an answer that comes before the whole body has arrived reaches the client', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nstop'),
    ),
  )
  const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 1000000\r\n\r\nbeginning')
  await client.has('stop')
  t.match(client.received, /^HTTP\/1\.1 413 /)
  t.equal(balancer.snapshot().backends[0]?.failures, 0)
  client.reset()
})

function expecting(url: string): ClientRequest {
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    headers: { expect: '100-continue', 'content-length': 7 },
  })
  outgoing.flushHeaders()
  return outgoing
}
