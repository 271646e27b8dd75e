import { createServer, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { Server as SocketIo } from 'socket.io'
import { io } from 'socket.io-client'
import sockjs from 'sockjs'
import SockJS from 'sockjs-client'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { type Config } from '../../lib/config/config.ts'
import { defineConfig } from '../../lib/index.ts'
import { createRelay, MemoryStore, type Relay, type RelaySocket } from '../../lib/relay/index.ts'
import { startBalancer } from '../support/balancer.ts'
import { until } from '../support/until.ts'
import { relayBlock } from './relay-block.ts'

interface Frame {
  readonly channel: string
  readonly data?: unknown
  readonly at?: string
}

function node(t: Test, memory = new MemoryStore()): Relay {
  const relay = createRelay({ memory })
  t.teardown(() => relay.close())
  return relay
}

async function listening(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('the server and the browser of the page: it comes back, and has everything once', async (t) => {
  const memory = new MemoryStore()
  const servers: WebSocketServer[] = []
  const start = async (port: number) => {
    const relay = node(t, memory)
    const around = {
      createRelay: () => relay,
      WebSocketServer: class extends WebSocketServer {
        constructor() {
          super({ port, host: '127.0.0.1' })
        }
      },
    }
    servers.push(await relayBlock<WebSocketServer>('new WebSocketServer', 'server', around))
    return relay
  }
  const relay = await start(0)
  await once(servers[0]!, 'listening')
  const { port } = servers[0]!.address() as AddressInfo
  const frames: Frame[] = []
  const sockets: WebSocket[] = []
  const onFrame = (frame: Frame) => frames.push(frame)
  class Socket extends WebSocket {
    constructor(url: string) {
      super(url)
      this.on('error', () => {})
      sockets.push(this)
    }
  }
  await relayBlock('socket.onmessage', 'at', {
    WebSocket: Socket,
    id: 'bob',
    url: `ws://127.0.0.1:${port}`,
    onFrame,
    Math: { random: () => 0 },
  })
  await until(() => frames.some(({ channel, at }) => channel === 'room:1' && at), 'its place')
  t.match(await relay.presence('room:1').list(), [{ clientId: 'bob', info: { name: 'bob' } }])
  await relay.publish('room:1', 1)
  await until(() => frames.some(({ data }) => data === 1), 'the message')
  servers[0]!.close()
  for (const socket of servers[0]!.clients) socket.terminate()
  await relay.publish('room:1', 2)
  await relay.sendTo('bob', 3)
  // Another node at the same address, as a balancer would have it.
  await start(port)
  t.teardown(() => {
    for (const socket of sockets) socket.onclose = null
    for (const server of servers) {
      for (const socket of server.clients) socket.terminate()
      server.close()
    }
  })
  await until(() => frames.some(({ data }) => data === 3), 'what was sent to it')
  await until(() => frames.some(({ data }) => data === 2), 'what was published')
  t.same(frames.map(({ data }) => data).filter((data) => data !== undefined).sort(), [1, 2, 3]) // prettier-ignore
})

t.test('a SockJS connection', async (t) => {
  const relay = node(t)
  const ofSockJs = await relayBlock<(connection: object) => RelaySocket>('ofSockJs', 'ofSockJs', {})
  const echo = sockjs.createServer({ prefix: '/echo', log() {} })
  echo.on('connection', (connection) => void relay.attach(ofSockJs(connection), { clientId: 'bob' }).subscribe('room')) // prettier-ignore
  const server = createServer()
  echo.installHandlers(server)
  const url = await listening(t, server)
  const frames: Frame[] = []
  const connect = () => {
    const client = new SockJS(`${url}/echo`)
    const closed = new Promise<{ code: number }>((resolve) => (client.onclose = resolve))
    client.onmessage = ({ data }) => frames.push(JSON.parse(String(data)) as Frame)
    t.teardown(() => client.close())
    return closed
  }
  const closed = connect()
  await until(() => frames.some(({ channel }) => channel === 'room'), 'its place')
  await relay.publish('room', 1)
  await until(() => frames.some(({ data }) => data === 1), 'the message')
  void connect()
  t.equal((await closed).code, 4409)
})

t.test('a Socket.IO socket', async (t) => {
  const relay = node(t)
  const ofSocketIo = await relayBlock<(socket: object) => RelaySocket>('ofSocketIo', 'ofSocketIo', {})
  const server = createServer()
  const sockets = new SocketIo(server)
  sockets.on('connection', (socket) => void relay.attach(ofSocketIo(socket), { clientId: 'bob' }).subscribe('room')) // prettier-ignore
  t.teardown(() => sockets.close())
  const client = io(await listening(t, server))
  t.teardown(() => client.close())
  const frames: Frame[] = []
  client.on('relay', (frame: string) => frames.push(JSON.parse(frame) as Frame))
  await until(() => frames.some(({ channel }) => channel === 'room'), 'its place')
  await relay.publish('room', 1)
  await until(() => frames.some(({ data }) => data === 1), 'the message')
  client.close()
  await until(() => relay.status().subscriptions === 1, 'it to be released')
})

t.test('presence as the page has it', async (t) => {
  const relay = node(t)
  const said: unknown[][] = []
  const console = { log: (...words: unknown[]) => said.push(words) }
  await relayBlock("room.join('bob'", 'room', { createRelay: () => relay, console })
  await until(() => said.length === 3, 'three lines')
  t.strictSame(
    new Set(said.map(String)),
    new Set(['bob,is here,[object Object]', '[object Object]', 'bob,has left']),
  )
})

t.test('the balancer asks the relay of each node, and sees when they do not agree', async (t) => {
  const relays = [node(t), node(t)]
  const urls = await Promise.all(
    relays.map(async (relay) => {
      const server = createServer()
      await relayBlock('relay.handleHealth(request', '0', {
        createRelay: () => relay,
        createServer: (listener: RequestListener) => server.on('request', listener) && { listen() {} },
      })
      return listening(t, server)
    }),
  )
  const warned: unknown[] = []
  const { health } = await relayBlock<Config>('const relayed: Probe', 'config', {
    defineConfig,
    console: { warn: (...words: unknown[]) => warned.push(words) },
    fetch,
  })
  const { balancer } = await startBalancer(t, { backends: urls, health })
  await until(() => warned.length > 0, 'the warning')
  t.match(warned[0], ['nodes on several masters'])
  await relays[0]!.close()
  await until(() => balancer.snapshot().backends[0]!.health === 'down', 'the node that is closed', 20_000)
  t.match(balancer.snapshot().backends[0]!.lastProbe?.failure, /its relay is closed/)
  const plain = await startBalancer(t, { backends: urls, health: { probe: 'http', path: '/relay/health' } })
  const states = () => plain.balancer.snapshot().backends.map(({ lastProbe }) => lastProbe?.failure)
  await until(() => states().every((failure) => failure !== undefined), 'the first probes')
  t.match(states(), [/503/, null])
})
