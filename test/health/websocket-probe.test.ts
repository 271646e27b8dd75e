import { Server as SocketIo } from 'socket.io'
import t, { type Test } from 'tap'
import { type WebSocket } from 'ws'
import { websocketProbe } from '../../lib/health/websocket-probe.ts'
import { acceptFor } from '../../lib/protocol/handshake.ts'
import { ask, probeContract } from '../contract/probe.ts'
import { httpBackend, type RawConnection, rawBackend, wsBackend } from '../support/backends.ts'
import { ManualClock } from '../support/clock.ts'
import { until } from '../support/until.ts'

for (const ping of [false, true]) {
  probeContract({ make: () => websocketProbe({ ping }), well: (t) => wsBackend(t) })
}

/** Accepts every upgrade, and then does what a test says. */
function accepting(t: Test, then: (connection: RawConnection) => void = () => {}) {
  return rawBackend(t, (connection) => {
    connection.socket.once('data', (head: Buffer) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString())![1]!
      connection.socket.write(
        `HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
      )
      then(connection)
    })
  })
}

t.test('it closes with 1000, masked as the protocol wants it, and waits for the answer', async (t) => {
  const closed: [number, string][] = []
  const sockets: WebSocket[] = []
  const backend = await wsBackend(t, (socket) => {
    sockets.push(socket)
    socket.on('error', (error) => t.fail(error.message))
    socket.on('close', (code, reason) => closed.push([code, reason.toString()]))
  })
  await ask(websocketProbe({ ping: true }), backend.url)
  await until(() => closed.length === 1, 'the Close')
  t.same(closed, [[1000, '']])
})

t.test('a greeting, however long, is no Pong; what comes behind it is found', async (t) => {
  const backend = await wsBackend(t, (socket) => {
    socket.send('hello')
    socket.pong('not yours')
    socket.send(Buffer.alloc(5_000_000))
  })
  await ask(websocketProbe({ ping: true }), backend.url)
})

t.test('path, origin and subprotocol arrive', async (t) => {
  const seen: unknown[] = []
  const backend = await wsBackend(t, () => {}, {
    path: '/chat',
    verifyClient: ({ req: { url, headers } }: { req: { url?: string; headers: object } }) => {
      seen.push({ url, headers })
      return true
    },
  })
  const headers = { origin: 'https://app.test', 'sec-websocket-protocol': 'chat' }
  await ask(websocketProbe({ path: '/chat?room=1', headers }), backend.url)
  t.match(seen, [{ url: '/chat?room=1', headers: { ...headers, host: new URL(backend.url).host } }])
  await t.rejects(ask(websocketProbe({ path: '/other' }), backend.url), {
    message: 'the upgrade of /other was answered 400 and not 101 (see health.path)',
  })
})

t.test('a wrong Sec-WebSocket-Accept is no WebSocket', async (t) => {
  const head =
    'HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n'
  const backend = await rawBackend(t, ({ socket }) => socket.once('data', () => socket.write(head)))
  await t.rejects(ask(websocketProbe(), backend.url), { message: /wrong or missing Sec-WebSocket-Accept/ })
  await until(() => backend.open === 0, 'the connection to be gone')
})

t.test('whoever does not answer the Close is well all the same, a second later', async (t) => {
  const clock = new ManualClock()
  const backend = await accepting(t)
  let well = false
  const asked = ask(websocketProbe(), backend.url, { clock }).then(() => (well = true))
  await until(() => clock.pending === 1, 'the Close to be sent')
  await clock.advance(999)
  t.notOk(well)
  await clock.advance(1)
  await asked
  t.equal(clock.pending, 0)
})

t.test('no Pong: the signal ends it; the connection, or a Close, in its place is said', async (t) => {
  const silent = await accepting(t)
  const limit = new AbortController()
  const asked = ask(websocketProbe({ ping: true }), silent.url, { signal: limit.signal })
  await (await silent.connection(0)).has(/\r\n\r\n[^]/)
  limit.abort(new Error('no answer within 1 ms'))
  await t.rejects(asked, { message: 'no answer within 1 ms' })
  await until(() => silent.open === 0, 'the connection to be gone')

  const ending = await accepting(t, ({ socket }) => socket.end())
  await t.rejects(ask(websocketProbe({ ping: true }), ending.url), {
    message: /ended the connection before its Pong/,
  })
  const refusing = await wsBackend(t, (socket) => socket.close(4401, 'who are you?'))
  await t.rejects(ask(websocketProbe({ ping: true }), refusing.url), {
    message: /closed the WebSocket with 4401/,
  })
})

t.test('Socket.IO takes it for a client that comes and goes', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end())
  const io = new SocketIo(backend.server)
  t.teardown(() => void io.close())
  const path = '/socket.io/?EIO=4&transport=websocket'
  await ask(websocketProbe({ path, ping: true }), backend.url)
  await t.rejects(ask(websocketProbe({ path: '/socket.io/' }), backend.url), {
    message: /answered 400 and not 101/,
  })
})
