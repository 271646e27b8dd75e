import { type Socket, connect as connectTcp, isIP } from 'node:net'
import {
  type ConnectionOptions,
  type SecureContext,
  connect as connectTls,
  createSecureContext,
} from 'node:tls'
import { type Backend, type BackendTls } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { WslbError, messageOf } from '../core/errors.ts'

export interface DialOptions {
  readonly clock: Clock
  /** Milliseconds for TCP and TLS together. */
  readonly timeout: number
  readonly signal?: AbortSignal
  /** The socket does not keep the process alive. */
  readonly unref?: boolean
  /** Another port of the same host, without TLS. */
  readonly port?: number | undefined
}

/**
 * Opens a connection to a backend, through the TLS handshake for `https://`.
 * @throws WslbError `WSLB_CONNECT_FAILED`, `WSLB_CONNECT_TIMEOUT`, `WSLB_NO_RESOURCES`, `WSLB_CLIENT_GONE` (aborted)
 */
export function dial(backend: Backend, options: DialOptions): Promise<Socket> {
  const { clock, timeout, signal, unref, port } = options
  const isPlain = port !== undefined || backend.url.protocol === 'http:'
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(gone())
    const socket = isPlain ? openPlain(backend, port) : openTls(backend)
    if (unref) socket.unref()
    const timer = clock.schedule(timeout, () =>
      fail(
        new WslbError(
          'WSLB_CONNECT_TIMEOUT',
          `no connection to ${placeOf(backend, port)} within ${timeout} ms`,
        ),
      ),
    )
    const onAbort = () => fail(gone())
    const onError = (error: Error) => fail(dialError(placeOf(backend, port), error))
    const settle = () => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
    }
    const fail = (error: WslbError) => {
      settle()
      socket.on('error', ignore).destroy()
      reject(error)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    socket.once('error', onError)
    socket.once(isPlain ? 'connect' : 'secureConnect', () => {
      settle()
      resolve(socket)
    })
  })
}

function ignore(): void {}

function gone(): WslbError {
  return new WslbError('WSLB_CLIENT_GONE', 'aborted while connecting to the backend')
}

/** For people. */
function placeOf({ url: { host, hostname } }: Backend, port: number | undefined): string {
  return port === undefined ? host : `${hostname}:${port}`
}

/** As a socket wants it: IPv6 without brackets. */
function hostOf({ url: { hostname } }: Backend): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function openPlain(backend: Backend, port = Number(backend.url.port || 80)): Socket {
  return connectTcp({ host: hostOf(backend), port, noDelay: true, keepAlive: true, allowHalfOpen: true })
}

function openTls(backend: Backend): Socket {
  const host = hostOf(backend)
  const { tls } = backend.settings
  const servername = tls?.servername ?? host
  const kept = sessions.get(backend)
  // A resumed session is not verified again, so it must not outlive the settings it was verified by.
  const session = kept?.tls === tls ? kept?.ticket : undefined
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    host,
    port: Number(backend.url.port || 443),
    allowHalfOpen: true,
    ALPNProtocols: ['http/1.1'],
    secureContext: contextFor(tls),
    rejectUnauthorized: tls?.rejectUnauthorized ?? process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0',
    // RFC 6066 §3: an IP address is not a server name; it is still verified against the certificate.
    ...(isIP(servername) ? { host } : { servername }),
    ...(session && { session }),
  }
  const socket = connectTls(options)
  socket.setNoDelay(true).setKeepAlive(true)
  return socket.on('session', (ticket) => sessions.set(backend, { ticket, tls }))
}

/** TLS sessions to resume, so that a thousand sockets to one backend cost one full handshake. */
const sessions = new WeakMap<Backend, { readonly ticket: Buffer; readonly tls: BackendTls | undefined }>()
const contexts = new WeakMap<BackendTls, SecureContext>()
let defaultContext: SecureContext | undefined

function contextFor(tls: BackendTls | undefined): SecureContext {
  if (!tls) return (defaultContext ??= createSecureContext())
  let context = contexts.get(tls)
  if (!context) {
    const { ca, cert, key } = tls
    context = createSecureContext({ cert, key, ...(ca !== undefined && { ca: [ca].flat() }) })
    contexts.set(tls, context)
  }
  return context
}

/** Our own shortage, not the backend's fault. */
const SHORTAGE = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])

function dialError(place: string, error: NodeJS.ErrnoException): WslbError {
  // With several addresses Node tries each and reports them together, with an empty message.
  const errors = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error]
  const message = errors.map(messageOf).join(', ') || `cannot connect to ${place}`
  const shortage = errors.some(({ code = '' }) => SHORTAGE.has(code))
  return new WslbError(shortage ? 'WSLB_NO_RESOURCES' : 'WSLB_CONNECT_FAILED', message, { cause: error })
}
