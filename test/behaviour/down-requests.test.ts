import { connect } from 'node:net'
import t from 'tap'
import { type Probe } from '../../lib/health/probe.ts'
import { httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { type Scope, inOrder, startBalancer } from '../support/balancer.ts'
import { ask, wsClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

// Requests that wait for the answer of a backend while it is declared down.

/** Two backends, of which the first is well until the test says otherwise, and never answers. */
async function hungAndGood(t: Scope, good: { url: string }) {
  const hung = await rawBackend(t)
  const state = { well: true }
  const probe: Probe = async ({ id }) => {
    if (id === 'hung' && !state.well) throw new Error('hangs')
  }
  const started = await startBalancer(t, {
    backends: [
      { id: 'hung', url: hung.url },
      { id: 'good', url: good.url },
    ],
    balance: inOrder,
    health: { probe, interval: '1s', debounce: 0 },
  })
  return { ...started, hung, declareDown: () => (state.well = false) }
}

const answering = (t: Scope) => httpBackend(t, (_request, response) => response.end('good'))

t.test('a GET goes to another backend', async (t) => {
  const { url, hung, declareDown, next } = await hungAndGood(t, await answering(t))
  const done = next('request:done')
  const answer = ask(url)
  const { has } = await hung.connection(0)
  await has('\r\n\r\n')
  declareDown()
  t.match(await answer, { status: 200, body: 'good' })
  t.match(await done, {
    backend: 'good',
    attempts: 2,
    retries: [{ backend: 'hung', code: 'WSLB_BACKEND_DOWN' }],
  })
})

t.test('an upgrade goes to another backend', async (t) => {
  const { url, hung, declareDown, next } = await hungAndGood(t, await wsBackend(t))
  const opened = next('tunnel:open')
  const client = wsClient(t, url)
  const { has } = await hung.connection(0)
  await has('\r\n\r\n')
  declareDown()
  await client
  t.match(await opened, {
    backend: 'good',
    retries: [{ backend: 'hung', code: 'WSLB_BACKEND_DOWN' }],
  })
})

t.test('a POST is not repeated: it waits for its backend', async (t) => {
  const { url, hung, declareDown, next } = await hungAndGood(t, await answering(t))
  const answer = ask(url, { method: 'POST', body: 'once' })
  const { has, socket } = await hung.connection(0)
  await has('once')
  const down = next('backend:down')
  declareDown()
  await down
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate')
  t.match(await answer, { status: 200, body: 'late' })
})

t.test('with all of them down nobody is better: a GET waits', async (t) => {
  const hung = await rawBackend(t)
  const state = { well: true }
  const { url, next } = await startBalancer(t, {
    backends: [hung.url],
    health: {
      probe: async () => {
        if (!state.well) throw new Error('hangs')
      },
      interval: '1s',
      debounce: 0,
    },
  })
  const answer = ask(url)
  const { has, socket } = await hung.connection(0)
  await has('\r\n\r\n')
  const down = next('backend:down')
  state.well = false
  await down
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate')
  t.match(await answer, { status: 200, body: 'late' })
})

t.test('an answer that has begun is not touched', async (t) => {
  const { port, hung, declareDown, next } = await hungAndGood(t, await answering(t))
  const client = connect(port, '127.0.0.1')
  let received = ''
  client.on('data', (chunk) => (received += String(chunk)))
  client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const { has, socket } = await hung.connection(0)
  await has('\r\n\r\n')
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf')
  await until(() => received.endsWith('half'), 'the first half')
  const down = next('backend:down')
  declareDown()
  await down
  socket.write('half')
  await until(() => received.endsWith('halfhalf'), 'the second half')
  t.match(received, /^HTTP\/1.1 200/)
})
