import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { mortal } from '../support/apps.ts'
import { type Scope } from '../support/balancer.ts'
import { textOf } from '../support/clients.ts'
import { type Server } from './harness.ts'
import { HubConnection, type HubMethods } from './signalr-hub.ts'

// No server of SignalR runs on Node but one that fakes it, and over WebSockets only. So this one is written after
// TransportProtocols.md of dotnet/aspnetcore: negotiation, and all three transports with their statuses.

const TRANSPORTS = [
  { transport: 'WebSockets', transferFormats: ['Text'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text'] },
]

/** What a negotiation has made, from its first transport to its end. */
class Connection {
  readonly hub: HubConnection
  readonly #ended: () => void
  /** Writes to the client; while a long poll is awaited, nobody does. */
  #write: ((text: string) => void) | undefined
  #end: (() => void) | undefined
  #kept = ''
  #polled = false
  #finished = false
  started = false

  constructor(methods: HubMethods, ended: () => void) {
    this.#ended = ended
    this.hub = new HubConnection(
      methods,
      (text) => this.#send(text),
      // Whoever polls is told by a 204, and says good-bye with a DELETE.
      () => (this.#polled ? this.#finish() : this.close()),
    )
  }

  attach(write: (text: string) => void, end: () => void): void {
    this.started = true
    this.#write = write
    this.#end = end
    this.#send('')
  }

  /** The first one only says that the server is there. A second at the same time ends the one before it. */
  poll(response: ServerResponse): void {
    this.#end?.()
    if (this.#finished) return refuse(response, 204)
    if (!this.started) {
      this.started = this.#polled = true
      response.end()
      return
    }
    const detach = () => (this.#write = this.#end = undefined)
    const write = (text: string) => {
      detach()
      response.writeHead(200, { 'content-type': 'text/plain' }).end(text)
    }
    const end = () => {
      detach()
      response.writeHead(204).end()
    }
    response.on('close', () => this.#end === end && detach())
    this.attach(write, end)
  }

  close(): void {
    this.#ended()
    this.#end?.()
  }

  #finish(): void {
    this.#finished = true
    this.#end?.()
  }

  #send(text: string): void {
    this.#kept += text
    if (!this.#write || this.#kept === '') return
    const due = this.#kept
    this.#kept = ''
    this.#write(due)
  }
}

export interface SignalRServer extends Server {
  /** As a crash. */
  die(): void
}

/** A hub at `/hub` that says who it is, says back what it is told, and counts. */
export async function signalRServer(t: Scope, id: string): Promise<SignalRServer> {
  const { server, url, die } = await mortal(t)
  const connections = new Map<string, Connection>()
  const methods: HubMethods = {
    whoAreYou: () => id,
    echo: (value: unknown) => value,
    *count(to: number) {
      for (let number = 0; number < to; number++) yield number
    },
  }

  function open(token: string): Connection {
    const connection = new Connection(methods, () => connections.delete(token))
    connections.set(token, connection)
    return connection
  }

  function negotiate(response: ServerResponse): void {
    const connectionToken = `${id}-${randomUUID()}`
    open(connectionToken)
    const answer = { connectionToken, connectionId: randomUUID(), negotiateVersion: 1 }
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ...answer, availableTransports: TRANSPORTS }))
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, token } = targetOf(request)
    if (request.method === 'POST' && path === '/hub/negotiate') return negotiate(response)
    if (path !== '/hub' || token === null) return refuse(response, path === '/hub' ? 400 : 404)
    const connection = connections.get(token)
    if (!connection) return refuse(response, 404)
    if (request.method === 'POST') {
      connection.hub.receive(await textOf(request))
      response.end()
    } else if (request.method === 'DELETE') {
      connection.close()
      refuse(response, 202)
    } else if (request.headers.accept !== 'text/event-stream') connection.poll(response)
    else if (connection.started) refuse(response, 409)
    else streamEvents(connection, response)
  }

  server.removeAllListeners('request').on('request', (request, response) => void answer(request, response))

  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { token } = targetOf(request)
    const connection = token === null ? open(randomUUID()) : connections.get(token)
    if (connection && !connection.started)
      return sockets.handleUpgrade(request, socket, head, (opened) => attachSocket(connection, opened))
    const status = connection ? '409 Conflict' : '404 Not Found'
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
  return { id, url, die }
}

function targetOf({ url = '' }: IncomingMessage): { path: string; token: string | null } {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  return { path: pathname, token: searchParams.get('id') }
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status).end()
}

function streamEvents(connection: Connection, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write(':\r\n\r\n')
  response.on('close', () => connection.close())
  const write = (text: string) => void response.write(`data: ${text}\r\n\r\n`)
  connection.attach(write, () => response.end())
}

function attachSocket(connection: Connection, socket: WebSocket): void {
  socket.on('message', (data: Buffer) => connection.hub.receive(String(data)))
  socket.on('close', () => connection.close())
  const write = (text: string) => socket.send(text)
  connection.attach(write, () => socket.close())
}
