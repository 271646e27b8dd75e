import { once } from 'node:events'
import t from 'tap'
import { createBalancer } from '../../lib/balancer.ts'
import { startBalancer } from '../support/balancer.ts'
import { httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { FastClock } from '../support/clock.ts'
import { ask, rawClient, wsClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

t.test('close cuts tunnels, requests and idle connections, and frees the port', async (t) => {
  const backend = await wsBackend(t)
  const slow = await rawBackend(t)
  const { balancer, url, port, next } = await startBalancer(t, {
    backends: [backend.url],
    pools: { slow: { backends: [slow.url], health: false } },
    routes: [
      { path: '/slow', pool: 'slow' },
      { path: '/*', pool: 'default' },
    ],
  })
  const socket = await wsClient(t, url)
  const idle = await rawClient(t, port)
  const busy = await rawClient(t, port)
  busy.send('GET /slow HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await (await slow.connection(0)).has('\r\n\r\n')
  const closed = next('tunnel:close')
  await Promise.all([balancer.close(), once(socket, 'close'), idle.closed, busy.closed])
  t.match(await closed, { closedBy: 'balancer', cause: 'shutdown' })
  await t.rejects(ask(url), { code: 'ECONNREFUSED' })
  await balancer.close()
  await t.rejects(balancer.listen(), { code: 'WSLB_CLOSED' })
  await t.rejects(balancer.reload({ backends: [] }), { code: 'WSLB_CLOSED' })
})

t.test('close({ drain }) lets a request end, and refuses new connections meanwhile', async (t) => {
  const backend = await rawBackend(t)
  const { balancer, url } = await startBalancer(t, { backends: [backend.url] })
  const answer = ask(url)
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  let over = false
  const closed = balancer.close({ drain: '1h' }).then(() => (over = true))
  await t.rejects(ask(url), { code: 'ECONNREFUSED' })
  t.equal(over, false)
  upstream.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  t.match(await answer, { status: 200, body: 'ok' })
  await closed
})

t.test('a second close without drain cuts what the first one waits for', async (t) => {
  const backend = await rawBackend(t)
  const clock = new FastClock(1)
  const { balancer, port } = await startBalancer(t, { backends: [backend.url] }, { clock })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  await (await backend.connection(0)).has('\r\n\r\n')
  const first = balancer.close({ drain: '1h' })
  await balancer.close()
  t.equal(clock.pending, 0, 'no timer is left')
  t.same(balancer.snapshot().drains, [])
  await Promise.all([first, client.closed])
  await until(() => backend.open === 0, 'the upstream connection to close')
})

t.test('aborting the signal closes', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end())
  const stop = new AbortController()
  const { balancer, url } = await startBalancer(t, { backends: [backend.url] }, { signal: stop.signal })
  t.match(await ask(url), { status: 200 })
  stop.abort()
  await balancer.close()
  await t.rejects(ask(url), { code: 'ECONNREFUSED' })
})

t.test('await using closes', async (t) => {
  let port = 0
  {
    await using balancer = createBalancer({ backends: [], listen: { port: 0, host: '127.0.0.1' } })
    port = (await balancer.listen())[0]!.port
    t.match(await ask(`http://127.0.0.1:${port}`), { status: 503 })
  }
  await t.rejects(ask(`http://127.0.0.1:${port}`), { code: 'ECONNREFUSED' })
})

t.test('close with a drain that is no duration rejects, and closes nothing', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('ok'))
  const { balancer, url } = await startBalancer(t, { backends: [backend.url] })
  const closed = balancer.close({ drain: 'nonsense' as never })
  await t.rejects(closed, { name: 'ConfigError', message: /drain: nonsense/ })
  t.match(await ask(url), { status: 200 })
})
