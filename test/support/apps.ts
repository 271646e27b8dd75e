import { createRequire } from 'node:module'
import { type Socket } from 'node:net'
import { Server as SocketIoServer } from 'socket.io'
import type * as SockJs from 'sockjs'
import { type Scope } from './balancer.ts'
import { httpBackend } from './backends.ts'

/** A chat server as people run them; give it as one of the `backends` of a config. */
export interface App {
  readonly id: string
  readonly url: string
  /** Clients it has had so far. */
  readonly clients: () => number
  /** As a crash: every socket is cut, the port is closed. */
  die(): void
}

/** A Socket.IO server that says its name and answers `echo` with everything it was given. */
export async function socketIoApp(t: Scope, id: string): Promise<App> {
  const { url, die, server } = await mortal(t)
  const io = new SocketIoServer(server, { perMessageDeflate: { threshold: 0 } })
  let clients = 0
  io.on('connection', (socket) => {
    clients++
    socket.emit('welcome', id)
    socket.on('echo', (...args: unknown[]) => {
      const answer = args.pop() as (...back: unknown[]) => void
      answer({ server: id, args })
    })
    socket.on('everybody', (text: string) => io.emit('news', `${id}: ${text}`))
  })
  t.teardown(() => void io.close())
  return { id, url, die, clients: () => clients }
}

/** A SockJS server at `/echo` that says its name and then every message back. */
export async function sockJsApp(t: Scope, id: string, options: SockJs.ServerOptions = {}): Promise<App> {
  const { url, die, server } = await mortal(t)
  const echo = ownSockJs().createServer({
    log: () => {},
    jsessionid: true,
    response_limit: 4_096,
    disconnect_delay: 3_000, // an EventSource waits a second before it comes back
    sockjs_url: '/sockjs.js',
    ...options,
  })
  let clients = 0
  echo.on('connection', (connection) => {
    clients++
    connection.write(id)
    connection.on('data', (message) => void connection.write(`${id}: ${message}`))
    t.teardown(() => connection.destroy())
  })
  echo.installHandlers(server, { prefix: '/echo' })
  return { id, url, die, clients: () => clients }
}

const require = createRequire(import.meta.url)

/** The library keeps its sessions in a module variable: three servers in one process would share them. */
function ownSockJs(): typeof SockJs {
  for (const file of Object.keys(require.cache)) {
    if (/node_modules[\\/]sockjs[\\/]/.test(file)) delete require.cache[file]
  }
  return require('sockjs') as typeof SockJs
}

/** A server without a handler that can be killed as a crash does it. */
export async function mortal(t: Scope) {
  const { server, url } = await httpBackend(t, (_request, response) => response.end('ok'))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const die = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { server, url, die }
}
