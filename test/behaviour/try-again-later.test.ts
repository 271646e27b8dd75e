import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import { type Config, WslbError, createBalancer } from '../../lib/index.ts'
import { wsBackend } from '../support/backends.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { ACCEPT, rawClient, upgradeHead, wsClient } from '../support/clients.ts'
import { FastClock } from '../support/clock.ts'
import { listen } from '../support/embedding.ts'
import { close, rejection } from '../support/reload.ts'
import { until } from '../support/until.ts'

// A browser hears of a refusal from a Close frame: its JavaScript cannot see the status of a failed handshake.

/** A second of the balancer is ten: nothing below ends because a time is up. */
const slow = { clock: new FastClock(0.1) }
const ORIGIN = 'https://app.example.test'
const admission = { maxWait: 0, browsers: 'close-1013' } as const

/** Everything that JavaScript in a browser would see. */
async function browse(t: Scope, url: string, protocols: string[] = [], options: ClientOptions = {}) {
  const client = new WebSocket(url.replace(/^http/, 'ws'), protocols, { origin: ORIGIN, ...options })
  t.teardown(() => client.terminate())
  let opened = false
  client.on('open', () => (opened = true))
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  return {
    ...{ opened, code, reason: String(reason) },
    ...{ protocol: client.protocol, extensions: client.extensions },
  }
}

const LATER = { opened: true, code: 1013, reason: 'try again later', protocol: '', extensions: '' }

t.test('a browser is told to try again later, whatever there is no room for', async (t) => {
  const backend = await wsBackend(t)
  const cases: [code: string, config: Config][] = [
    ['WSLB_TOO_MANY_HANDSHAKES', { backends: [{ url: backend.url, maxHandshakesPerSecond: 1 }] }],
    ['WSLB_AT_CAPACITY', { backends: [{ url: backend.url, maxConnections: 1 }] }],
    ['WSLB_NO_BACKEND', { backends: [] }],
  ]
  for (const [code, config] of cases) {
    await t.test(code, async (t) => {
      const { balancer, url, next } = await startBalancer(t, { ...config, admission }, slow)
      const first = code === 'WSLB_NO_BACKEND' ? undefined : await wsClient(t, url, [], { origin: ORIGIN })
      const rejected = next('upgrade:reject')
      balancer.on('tunnel:open', () => t.fail('it is no tunnel'))
      t.same(await browse(t, url), LATER)
      t.match(await rejected, { status: 503, error: { code } })
      t.equal(balancer.snapshot().tunnels.length, first ? 1 : 0)
      t.match(await rejection(wsClient(t, url)), { message: /503/ }, 'without an Origin it is no browser')
      if (first) await close(first)
    })
  }
})

t.test('one that knocks while the balancer closes is told so too', async (t) => {
  const balancer = createBalancer({ backends: [], admission })
  const server = createServer().on('upgrade', balancer.handleUpgrade)
  const url = `http://${await listen(t, server)}`
  await balancer.close()
  t.same(await browse(t, url), LATER)
})

t.test('the first subprotocol is chosen, and no extension', async (t) => {
  const { url, port } = await startBalancer(t, { backends: [], admission }, slow)
  t.same(await browse(t, url, ['graphql-transport-ws', 'graphql-ws'], { perMessageDeflate: true }), {
    ...LATER,
    protocol: 'graphql-transport-ws',
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead({ Origin: ORIGIN, 'Sec-WebSocket-Protocol': ' , Chat.V2 ,chat' }))
  const frame = '\x88\x11\x03\xf5try again later'
  const received = await client.has(frame)
  t.same(received.split('\r\n'), [
    'HTTP/1.1 101 Switching Protocols',
    `Sec-WebSocket-Accept: ${ACCEPT}`,
    'Sec-WebSocket-Protocol: Chat.V2',
    'Connection: Upgrade',
    'Upgrade: websocket',
    '',
    frame,
  ])
  client.send(Buffer.from([0x88, 0x80, 1, 2, 3, 4]))
  t.equal(await client.closed, 'end', 'its answer ends the connection')
  client.socket.end()
})

t.test('one that does not answer the Close is not waited for', async (t) => {
  const { port, balancer } = await startBalancer(t, { backends: [], admission })
  const silent = await rawClient(t, port)
  silent.send(upgradeHead({ Origin: ORIGIN }))
  const talker = await rawClient(t, port)
  talker.send(upgradeHead({ Origin: ORIGIN }))
  await Promise.all([silent.has('try again later'), talker.has('try again later')])
  talker.send(Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]), Buffer.alloc(1_000_000)]))
  t.same(await Promise.all([silent.closed, talker.closed]), ['end', 'end'])
  const half = await rawClient(t, port)
  half.send(upgradeHead({ Origin: ORIGIN }))
  half.socket.end()
  await half.closed
  const leaver = await rawClient(t, port)
  leaver.send(upgradeHead({ Origin: ORIGIN }))
  leaver.reset()
  await until(() => balancer.snapshot().connections === 0, 'every connection to end')
})

t.test('what is not for want of room is refused as ever', async (t) => {
  const hooks: Config['hooks'] = {
    onUpgrade({ path }) {
      if (path === '/answer') return { status: 503 }
      if (path === '/throw') throw Object.assign(new Error('busy'), { status: 503 })
      if (path === '/borrowed') throw new WslbError('WSLB_AT_CAPACITY', 'another pool is full')
      return undefined
    },
  }
  const routes = ['/answer', '/throw', '/borrowed', '/chat'].map((path) => ({ path, pool: 'default' }))
  const { port } = await startBalancer(t, { backends: [], routes, hooks, admission })
  const statusOf = async (fields: Record<string, string | undefined>, path = '/chat') => {
    const client = await rawClient(t, port)
    client.send(upgradeHead({ Origin: ORIGIN, ...fields }, `GET ${path} HTTP/1.1`))
    await client.closed
    return client.received.slice(9, 12)
  }
  t.equal(await statusOf({}, '/answer'), '503')
  t.equal(await statusOf({}, '/throw'), '503')
  t.equal(await statusOf({}, '/borrowed'), '503')
  t.equal(await statusOf({}, '/elsewhere'), '404')
  t.equal(await statusOf({ 'Sec-WebSocket-Key': 'short' }), '400')
  t.equal(await statusOf({ 'Sec-WebSocket-Version': '8' }), '426')
  t.equal(await statusOf({ Origin: undefined }), '503')
})

t.test('nobody asked for it: 503', async (t) => {
  const { url } = await startBalancer(t, { backends: [] })
  t.match(await rejection(wsClient(t, url, [], { origin: ORIGIN })), { message: /503/ })
})
