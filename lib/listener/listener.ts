import { type IncomingMessage, type Server, type ServerResponse, createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, type Socket } from 'node:net'
import { type Server as TlsServer } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { WslbError, messageOf } from '../core/errors.ts'
import { asksForWebSocket } from '../protocol/handshake.ts'
import { certificateFor } from './certificate.ts'
import { type Certificate, type ClientLimits, type ListenerOptions } from './options.ts'
import { replayAsRequest } from './replay.ts'

export interface ListenerHandlers {
  onRequest(message: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void
  onUpgrade(message: IncomingMessage, socket: Socket, head: Buffer): void
  /** Accepting failed, e.g. for want of file descriptors. The listener goes on. */
  onError(error: Error, address: string): void
}

export interface ListenerAddress {
  readonly address: string
  readonly port: number
  readonly protocol: 'http' | 'https'
}

/** One address clients connect to, and every socket that came in through it, upgraded or not. */
export class Listener {
  #options: ListenerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(options: ListenerOptions, server: Server) {
    this.#options = options
    this.#server = server
    server.on('connection', (socket: Socket) => {
      // A replayed request brings its connection in once more.
      if (this.#sockets.has(socket)) return
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** @throws WslbError `WSLB_LISTEN` when the address cannot be bound */
  static async open(
    options: ListenerOptions,
    limits: ClientLimits,
    handlers: ListenerHandlers,
  ): Promise<Listener> {
    const server = await createServer(options, limits)
    const listener = new Listener(options, server)
    server.on('request', (message, response) => handlers.onRequest(message, response, false))
    server.on('checkContinue', (message, response) => handlers.onRequest(message, response, true))
    server.on('connect', (_message, socket: Socket) => refuseConnect(socket))
    server.on('upgrade', (message, socket: Socket, head) => {
      if (asksForWebSocket(message.headers.upgrade)) handlers.onUpgrade(message, socket, head)
      else replayAsRequest(server, message, socket, head)
    })
    server.on('error', (error) => handlers.onError(error, `${options.host}:${options.port}`))
    await listener.reopen()
    return listener
  }

  /** Accepts again after {@link close}. @throws WslbError `WSLB_LISTEN` */
  async reopen(): Promise<void> {
    const { host, port } = this.#options
    const server = this.#server
    const listeners = server.listeners('error') as ((error: Error) => void)[]
    server.removeAllListeners('error')
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port }, resolve)
      })
    } catch (error) {
      throw listenError(this.#options, error as NodeJS.ErrnoException)
    } finally {
      server.removeAllListeners('error')
      for (const onError of listeners) server.on('error', onError)
    }
  }

  get options(): ListenerOptions {
    return this.#options
  }

  get address(): ListenerAddress {
    const { address, port } = this.#server.address() as AddressInfo
    return { address, port, protocol: this.#options.tls ? 'https' : 'http' }
  }

  /** Open client sockets. */
  get connections(): number {
    return this.#sockets.size
  }

  /** For the same address: new handshakes get the new certificate, open connections keep theirs. */
  reconfigure(options: ListenerOptions, certificate: Certificate | undefined): void {
    const { tls } = this.#options
    this.#options = options
    if (certificate && !isDeepStrictEqual(tls, options.tls)) {
      ;(this.#server as unknown as TlsServer).setSecureContext(certificate)
    }
  }

  setLimits({ headersTimeout, keepAliveTimeout }: ClientLimits): void {
    Object.assign(this.#server, { headersTimeout, keepAliveTimeout })
  }

  /** Accepts nothing more; idle connections are closed, busy ones go on. */
  close(): void {
    if (this.#server.listening) this.#server.close()
    this.closeIdle()
  }

  closeIdle(): void {
    this.#server.closeIdleConnections()
  }

  /** Cuts every connection. Node's own `closeAllConnections` forgets upgraded ones. */
  destroyConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

async function createServer({ host, tls }: ListenerOptions, limits: ClientLimits): Promise<Server> {
  const options = {
    ...limits,
    // Uploads may take as long as they take; headersTimeout guards against slow-loris.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeout),
    noDelay: true,
  }
  // node:http serves half-open sockets of itself.
  if (!tls) return createHttp(options)
  const certificate = await certificateFor(tls, host)
  const server = createHttps({
    ...options,
    ...certificate,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.headersTimeout,
  })
  // Half-open only from here on: a client that leaves during the handshake would be kept until its timeout.
  return server.prependListener('secureConnection', (socket) => (socket.allowHalfOpen = true))
}

/** A reverse proxy is no tunnel to anywhere (RFC 9110 §9.3.6). */
function refuseConnect(socket: Socket): void {
  socket.on('error', () => socket.destroy())
  socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
    socket.destroy(),
  )
}

function listenError({ host, port }: ListenerOptions, error: NodeJS.ErrnoException): WslbError {
  const remedies: Record<string, string> = {
    EADDRINUSE: 'another process has this port: stop it or choose another with listen.port or --port',
    EACCES:
      'ports below 1024 need privileges: choose a higher one with listen.port or --port, or grant CAP_NET_BIND_SERVICE',
    ENOTFOUND: 'no such host name: see listen.host or --host',
    EADDRNOTAVAIL: 'this machine has no such address: see listen.host or --host',
  }
  const remedy = remedies[error.code ?? '']
  const what = `cannot listen on ${host}:${port}: ${messageOf(error)}`
  return new WslbError('WSLB_LISTEN', remedy ? `${what} (${remedy})` : what, { cause: error })
}
