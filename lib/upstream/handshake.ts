import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { type Socket } from 'node:net'
import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { WslbError, toWslbError } from '../core/errors.ts'
import { checkAnswer } from '../protocol/handshake.ts'
import { dial } from './dial.ts'

export interface HandshakeRequest {
  readonly path: string
  /** Names and values alternating, without `Connection` and `Upgrade`. */
  readonly headers: readonly string[]
  /** The client's `Sec-WebSocket-Key`. */
  readonly key: string
}

export interface HandshakeOptions {
  readonly clock: Clock
  readonly connectTimeout: number
  /** Milliseconds from dialling to the backend's answer. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** The backend switched protocols. */
export interface Accepted {
  readonly accepted: true
  readonly socket: Socket
  /** Bytes that came in the same segment as the `101`. */
  readonly head: Buffer
  readonly rawHeaders: readonly string[]
}

/** The backend answered with something else, which belongs to the client. */
export interface Declined {
  readonly accepted: false
  readonly response: IncomingMessage
}

/**
 * The opening handshake with a backend (RFC 6455 §4.1), up to the head of its answer.
 * Nothing of ours is left behind on the socket, nor the socket itself after an error.
 * @throws WslbError those of {@link dial}, `WSLB_HANDSHAKE_TIMEOUT`, `WSLB_BACKEND_RESET`, `WSLB_BAD_ANSWER`
 */
export async function handshake(
  backend: Backend,
  { path, headers, key }: HandshakeRequest,
  { clock, connectTimeout, timeout, signal }: HandshakeOptions,
): Promise<Accepted | Declined> {
  const startedAt = clock.now()
  const socket = await dial(backend, { clock, signal, timeout: Math.min(connectTimeout, timeout) }).catch(
    (error: WslbError) => {
      // The time was up for the whole handshake, not for its first part.
      const late = error.code === 'WSLB_CONNECT_TIMEOUT' && timeout <= connectTimeout
      throw late ? noAnswer(backend, timeout) : error
    },
  )
  return new Promise((resolve, reject) => {
    const outgoing = send(socket, path, headers)
    const timer = clock.schedule(Math.max(0, timeout - (clock.now() - startedAt)), () =>
      fail(noAnswer(backend, timeout)),
    )
    const onAbort = () =>
      fail(new WslbError('WSLB_CLIENT_GONE', 'the client left before the backend answered'))
    const settle = () => {
      timer.cancel()
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: WslbError) => {
      settle()
      outgoing.destroy()
      socket.destroy()
      reject(error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    outgoing.on('error', (error) => fail(answerError(backend, error)))
    outgoing.on('upgrade', (response, _socket, head) => {
      try {
        checkAnswer(key, response.rawHeaders)
      } catch (error) {
        return fail(toWslbError(error))
      }
      settle()
      resolve({ accepted: true, socket, head, rawHeaders: response.rawHeaders })
    })
    outgoing.on('response', (response) => {
      // A 101 without an Upgrade field is not an upgrade for Node, nor an answer for the client.
      if (response.statusCode === 101) {
        return fail(new WslbError('WSLB_BAD_ANSWER', 'the backend answered 101 without naming a protocol'))
      }
      settle()
      resolve({ accepted: false, response })
    })
    outgoing.end()
  })
}

function send(socket: Socket, path: string, headers: readonly string[]): ClientRequest {
  try {
    return httpRequest({
      createConnection: () => socket,
      path,
      headers: [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
      setHost: false,
    })
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function noAnswer({ url }: Backend, timeout: number): WslbError {
  return new WslbError(
    'WSLB_HANDSHAKE_TIMEOUT',
    `${url.host} did not answer the upgrade within ${timeout} ms`,
  )
}

function answerError(backend: Backend, error: NodeJS.ErrnoException): WslbError {
  const malformed = error.code?.startsWith('HPE_') === true
  const message = malformed
    ? `${backend.url.host} answered the upgrade with malformed HTTP: ${error.message}`
    : `${backend.url.host} closed the connection before answering the upgrade: ${error.message}`
  return new WslbError(malformed ? 'WSLB_BAD_ANSWER' : 'WSLB_BACKEND_RESET', message, { cause: error })
}
