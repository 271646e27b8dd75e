import t from 'tap'
import { rawBackend, wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, rawClient } from '../support/clients.ts'
import { closing, endings, wsClients } from '../support/down.ts'
import { until } from '../support/until.ts'

// Which failures of its traffic make a backend suspect. The probes of these never answer.

const health = {
  interval: '1h',
  timeout: '1h',
  debounce: '1h',
  probe: () => new Promise<void>(() => {}),
} as const

t.test('a response broken off in its body is a failure, and no sign of ill health', async (t) => {
  const backend = await rawBackend(t)
  const { port, balancer, next } = await startBalancer(t, { backends: [backend.url], health })
  balancer.on('backend:suspect', ({ reason }) => t.fail(reason))
  const done = next('request:done')
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  const { socket } = await backend.connection(0)
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  // Not before it has arrived: an RST overtakes what is still on its way.
  await client.has('half')
  socket.resetAndDestroy()
  t.equal(await client.closed, 'reset')
  t.match(await done, { status: 200, error: { code: 'WSLB_RESPONSE_CUT', blame: 'backend' } })
  t.match(balancer.snapshot().backends[0], { health: 'up', failures: 1, load: 0 })
})

t.test('a connection reset before any byte of the response makes the backend suspect', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.resetAndDestroy()))
  const { url, balancer, next } = await startBalancer(t, { backends: [backend.url], health })
  const suspect = next('backend:suspect')
  t.match(await ask(url), { status: 502, body: /WSLB_BACKEND_RESET/ })
  t.match(await suspect, { reason: /closed the connection/ })
  t.match(balancer.snapshot().backends[0], { health: 'suspect', failures: 1 })
})

t.test('closing with 1000 or 1001, however often, is no failure of a backend', async (t) => {
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', (code: Buffer) => socket.close(Number(code)))
  })
  const { balancer, url } = await startBalancer(t, {
    backends: [backend.url],
    health: { ...health, debounce: 0 },
  })
  balancer.on('backend:suspect', ({ reason }) => t.fail(`suspect: ${reason}`))
  const ended = endings(balancer)
  for (const code of [1001, 1000, 1001]) {
    const clients = await wsClients(t, url, 50)
    const closes = Promise.all(clients.map(closing))
    for (const client of clients) client.send(String(code))
    t.strictSame(new Set((await closes).map(({ said }) => said)), new Set([`${code} `]))
  }
  await until(() => ended.length === 150, 'the tunnels to end')
  t.ok(ended.every(({ cause, closedBy }) => `${cause} ${closedBy}` === 'normal backend'))
  t.match(balancer.snapshot().backends, [{ health: 'up', upgrades: 150, failures: 0 }])
})
