import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { MAX_PAYLOAD, type Occupant, type Room } from './room.ts'

const PAGE = new URL('page.html', import.meta.url)
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' ws: wss:; img-src data:",
}

/** An ordinary web application with a WebSocket: it knows nothing of the balancer in front of it. */
export class DemoBackend implements Occupant {
  readonly name: string
  readonly #room: Room
  readonly #http: Server
  readonly #ws = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD })
  #port = 0
  #back: NodeJS.Timeout | undefined
  #retiring = false
  #closed = false

  constructor(name: string, room: Room) {
    this.name = name
    this.#room = room
    this.#http = createServer((request, response) => this.#answer(request, response))
    this.#http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy())
      if (request.url !== '/chat') return void socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
      this.#ws.handleUpgrade(request, socket, head, (client) => {
        client.on('error', () => client.terminate())
        client.on('message', (data) => room.hear((data as Buffer).toString(), name))
        client.on('close', () => {
          room.announce()
          this.#closeWhenLeft()
        })
        room.welcome(client, name)
      })
    })
  }

  static async start(name: string, room: Room): Promise<DemoBackend> {
    const backend = new DemoBackend(name, room)
    await backend.#listen()
    room.enter(backend)
    return backend
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get stopped(): boolean {
    return !this.#http.listening
  }

  get clients(): WebSocketServer['clients'] {
    return this.#ws.clients
  }

  /** Lives on until its last client has gone, for as long as the balancer drains it; `patience` ms at most. */
  retire(patience: number): void {
    this.#retiring = true
    setTimeout(() => void this.close(), patience).unref()
    this.#closeWhenLeft()
  }

  /** Ends for good, politely: browsers come back at once, to another backend. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#back)
    for (const client of this.clients) client.close(1012, 'service restart')
    setTimeout(() => this.#cut(), 1_000).unref()
    this.#room.leave(this)
    if (!this.stopped) await new Promise((resolve) => this.#http.close(resolve))
  }

  #closeWhenLeft(): void {
    if (this.#retiring && this.clients.size === 0) void this.close()
  }

  async #listen(): Promise<void> {
    this.#http.listen(this.#port, '127.0.0.1')
    await once(this.#http, 'listening')
    this.#port = (this.#http.address() as AddressInfo).port
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [path, query] = request.url!.split('?', 2)
    if (path === '/stop' && request.method === 'POST') {
      const seconds = Math.min(60, Math.max(1, Number(new URLSearchParams(query).get('seconds')) || 15))
      response.on('finish', () => this.#stopFor(seconds))
      response.writeHead(202, { 'content-type': 'application/json', connection: 'close' })
      response.end(JSON.stringify({ stopped: this.name, seconds }))
    } else if (path === '/') {
      // Read each time: edit the page, and reload the browser.
      response.writeHead(200, PAGE_HEADERS).end(readFileSync(PAGE))
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
    }
  }

  /** As a crash looks from outside: every connection is cut and new ones are refused. */
  #stopFor(seconds: number): void {
    if (this.stopped || this.#closed) return
    this.#http.close()
    this.#cut()
    this.#room.announce()
    this.#back = setTimeout(() => this.#restart(), seconds * 1_000).unref()
  }

  #restart(): void {
    this.#listen().then(
      () => (this.#closed ? this.#http.close() : this.#room.announce()),
      () => (this.#back = setTimeout(() => this.#restart(), 1_000).unref()), // somebody has our port: try again
    )
  }

  #cut(): void {
    this.#http.closeAllConnections()
    for (const client of this.clients) client.terminate()
  }
}
