import t from 'tap'
import { rawBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, rawClient } from '../support/clients.ts'

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
