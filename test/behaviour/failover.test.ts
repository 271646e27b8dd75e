import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { deadUrl, httpBackend, rawBackend } from '../support/backends.ts'
import { ask } from '../support/clients.ts'
import { until } from '../support/until.ts'

// A request goes to another backend as long as nothing is lost by it.

const lively = (t: Parameters<typeof httpBackend>[0]) =>
  httpBackend(t, (request, response) => void request.pipe(response.writeHead(200, { 'x-from': 'lively' })))
const rude = (t: Parameters<typeof httpBackend>[0]) =>
  rawBackend(t, ({ socket }) => socket.once('data', () => socket.resetAndDestroy()))

for (const method of ['GET', 'POST']) {
  t.test(`connect refused: a ${method} goes elsewhere, body and all`, async (t) => {
    const backend = await lively(t)
    const { url, next } = await startBalancer(t, { backends: [await deadUrl(), backend.url] })
    const done = next('request:done')
    const body = method === 'POST' ? 'payload' : ''
    t.match(await ask(url, { method, body, headers: { 'content-length': body.length } }), {
      status: 200,
      body,
    })
    t.match(await done, { attempts: 2, error: undefined })
  })
}

t.test('reset before a response byte: a GET goes elsewhere', async (t) => {
  const [bad, good] = [await rude(t), await lively(t)]
  const { url } = await startBalancer(t, { backends: [bad.url, good.url] })
  t.match(await ask(url), { status: 200, headers: { 'x-from': 'lively' } })
  t.equal(bad.total, 1)
})

for (const [name, options] of Object.entries({
  'a POST': { method: 'POST', headers: { 'content-length': 0 } },
  'a PUT whose body was sent': { method: 'PUT', body: 'payload' },
})) {
  t.test(`reset before a response byte: ${name} is not repeated`, async (t) => {
    const [bad, good] = [await rude(t), await lively(t)]
    const { url, next } = await startBalancer(t, { backends: [bad.url, good.url] })
    const done = next('request:done')
    t.match(await ask(url, options), { status: 502, body: /WSLB_BACKEND_RESET/ })
    t.match(await done, { attempts: 1 })
    t.equal(good.total, 0)
  })
}

t.test('no backend is tried twice, and no more than the limit', async (t) => {
  const bad = await Promise.all([1, 2, 3, 4].map(() => rude(t)))
  const { url, next } = await startBalancer(t, { backends: bad.map(({ url }) => url), attempts: 3 })
  const done = next('request:done')
  t.equal((await ask(url)).status, 502)
  t.match(await done, { attempts: 3 })
  t.same(
    bad.map(({ total }) => total),
    [1, 1, 1, 0],
  )
})

t.test('no backend at all: 503 with Retry-After, as JSON for who asks', async (t) => {
  const { url } = await startBalancer(t, { backends: [] })
  const answer = await ask(url, { headers: { accept: 'application/json' } })
  t.match(answer, { status: 503, headers: { 'content-type': 'application/json', 'retry-after': /^\d+$/ } })
  t.same(JSON.parse(answer.body), { error: 'WSLB_NO_BACKEND', message: 'Service Unavailable' })
})

t.test('every backend at its limit: 503 with Retry-After, and served again when one is free', async (t) => {
  const backend = await rawBackend(t)
  const { url, next } = await startBalancer(t, { backends: [{ url: backend.url, maxConnections: 1 }] })
  const first = ask(url)
  const { socket, has } = await backend.connection(0)
  await has('\r\n\r\n')
  t.match(await ask(url), { status: 503, headers: { 'retry-after': '1' }, body: /WSLB_AT_CAPACITY/ })
  const done = next('request:done')
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  t.match(await first, { status: 200 })
  await done
  const again = ask(url)
  await until(() => backend.connections[0]!.received.split('GET').length === 3, 'the next request')
  socket.write('HTTP/1.1 204 No Content\r\n\r\n')
  t.match(await again, { status: 204 })
})

t.test('no response head in time: 504, and nothing is repeated', async (t) => {
  const [silent, good] = [await rawBackend(t), await lively(t)]
  const { url, next } = await startBalancer(t, {
    backends: [silent.url, good.url],
    timeouts: { response: 300 },
  })
  const done = next('request:done')
  t.match(await ask(url), { status: 504, body: /WSLB_RESPONSE_TIMEOUT/ })
  t.match(await done, { attempts: 1, error: { blame: 'backend' } })
  t.equal(good.total, 0)
})

t.test('a path without a route: 404', async (t) => {
  const backend = await lively(t)
  const { url } = await startBalancer(t, {
    backends: [backend.url],
    routes: [{ path: '/chat/*', pool: 'default' }],
  })
  t.match(await ask(`${url}/other`), { status: 404, body: /WSLB_NO_ROUTE/ })
  t.match(await ask(`${url}/chat/room`), { status: 200 })
})
