import { once } from 'node:events'
import { type RequestListener, type Server as HttpServer, createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, type Server, type Socket, createServer as createTcp } from 'node:net'
import { type ServerOptions as WsOptions, type WebSocket, WebSocketServer } from 'ws'
import { type Scope } from './balancer.ts'
import { type Certificate } from '../../lib/listener/options.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** A server, and what has come to it. */
export interface TestBackend<S extends Server = Server> {
  readonly server: S
  readonly port: number
  readonly url: string
  /** Connections that the balancer has neither finished nor closed. */
  readonly open: number
  /** Connections so far. */
  readonly total: number
}

/**
 * Listens on a port of its own. When the test is over, and the balancer closed, no connection may be left.
 */
async function start<S extends Server>(t: Scope, server: S, scheme = 'http'): Promise<TestBackend<S>> {
  const sockets = new Set<Socket>()
  let total = 0
  server.on('connection', (socket: Socket) => {
    total++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('end', () => sockets.delete(socket))
    socket.on('close', () => sockets.delete(socket))
    t.teardown(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    try {
      await until(() => sockets.size === 0, 'the connections to a backend to be closed')
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })
  const { port } = server.address() as AddressInfo
  return {
    server,
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    get open() {
      return sockets.size
    },
    get total() {
      return total
    },
  }
}

/** A real HTTP server. */
export function httpBackend(t: Scope, handler: RequestListener): Promise<TestBackend<HttpServer>> {
  return start(t, createHttp({ keepAliveTimeout: 60_000 }, handler))
}

/** A real HTTPS server. */
export function httpsBackend(
  t: Scope,
  certificate: Certificate,
  handler: RequestListener,
): Promise<TestBackend<HttpServer>> {
  return start(t, createHttps({ ...certificate, keepAliveTimeout: 60_000 }, handler), 'https')
}

/** A real WebSocket server; the default says everything back. */
export async function wsBackend(
  t: Scope,
  onConnection: (socket: WebSocket) => void = echo,
  options: WsOptions = {},
): Promise<TestBackend<HttpServer>> {
  const backend = await httpBackend(t, (_request, response) => response.end('not a WebSocket'))
  const server = new WebSocketServer({ server: backend.server, ...options })
  server.on('connection', onConnection)
  return backend
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

/** One connection to a {@link rawBackend}. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything that came, as latin1. */
  readonly received: string
  /** FIN has come. */
  readonly ended: boolean
  /** Settles once the text that came contains this. */
  readonly has: (text: string | RegExp) => Promise<string>
}

export interface RawBackend extends TestBackend {
  readonly connections: readonly RawConnection[]
  /** Settles with the nth connection, the first being 0. */
  connection(index: number): Promise<RawConnection>
}

/** A TCP server that does what a test says, byte by byte. Half-open connections stay open. */
export async function rawBackend(
  t: Scope,
  onConnection: (connection: RawConnection) => void = () => {},
): Promise<RawBackend> {
  const connections: RawConnection[] = []
  const server = createTcp({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = watch(socket)
    connections.push(connection)
    onConnection(connection)
  })
  const backend = await start(t, server)
  return Object.defineProperties({} as RawBackend, {
    ...Object.getOwnPropertyDescriptors(backend),
    connections: { value: connections },
    connection: {
      value: async (index: number) => {
        await until(() => connections.length > index, `connection ${index} to a backend`)
        return connections[index]
      },
    },
  })
}

/** Keeps what a socket receives. */
export function watch(socket: Socket): RawConnection {
  let received = ''
  let ended = false
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')))
  socket.on('end', () => (ended = true))
  return {
    socket,
    get received() {
      return received
    },
    get ended() {
      return ended
    },
    async has(text) {
      const found = () => (typeof text === 'string' ? received.includes(text) : text.test(received))
      try {
        await until(found, String(text))
      } catch (error) {
        throw new Error(`${String(error)}; received: ${JSON.stringify(received.slice(-400))}`)
      }
      return received
    },
  }
}

/** The url of a port nobody listens on. */
export async function deadUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}
