import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, type Pool as HttpPool } from 'undici'
import { type Clock } from '../core/clock.ts'
import {
  WslbError,
  backendClosed,
  backendDown,
  balancerClosed,
  messageOf,
  toWslbError,
} from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Lease } from '../pool/lease.ts'
import { requestHeaders, responseHeaders, withoutField } from '../protocol/headers.ts'
import { type HttpConnection, type HttpDispatchOptions } from '../upstream/http-client.ts'
import { type AnswerTap } from './answer-tap.ts'
import { assertChunkedOnly } from './coding.ts'
import { REASON_PHRASE, responseHead } from './refusal.ts'
import { reset } from './reset.ts'

/** RFC 9110 §9.2.2: sending one of these twice is no different from sending it once. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
/** Early Hints passed on for one request. */
const MOST_HINTS = 16
/** Also what two differing lengths come to. */
const CUT_SHORT = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'

export interface ExchangeOptions {
  readonly request: IncomingRequest
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly lease: Lease
  readonly clock: Clock
  readonly ownCookies: readonly string[]
  /** Milliseconds to the head of the response. */
  readonly timeout: number
  /** The body of the request; `undefined` when it has none. Read only once the backend is connected. */
  readonly body: AsyncIterable<Uint8Array> | undefined
  /** Whether the connection of the client is to end with this response; asked when its head goes out. */
  readonly isLast: () => boolean
  /** Of those who asked to see the answer. */
  readonly tap: AnswerTap | undefined
  /** Body bytes to the client. */
  readonly onBytes: (length: number) => void
}

/** One request on one backend: undici's events become the client's response, the client's leaving an abort. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #response: ServerResponse
  #controller: Dispatcher.DispatchController | undefined
  readonly #startedAt: number
  #hints = 0
  #answered = false
  #connection: HttpConnection | undefined
  #repeat: (() => void) | undefined
  #ended = false
  #resolve!: () => void
  #reject!: (error: WslbError) => void

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#response = options.response
    this.#startedAt = options.clock.now()
  }

  /**
   * Settles when the response is complete. Rejects with a `retryable` error as long as nothing was lost by trying
   * another backend; after the head of the response has gone out the client is reset before this rejects.
   */
  run(pool: HttpPool): Promise<void> {
    const { request, ownCookies, timeout, body } = this.#options
    return new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#response.on('close', this.#onClose)
      this.#response.on('drain', this.#onDrain)
      const { lease } = this.#options
      lease.onCut = () => this.#abandon(backendClosed(lease.backend, this.#repeatable))
      lease.onDown = () => this.#repeatable && this.#abandon(backendDown(lease.backend))
      const options: HttpDispatchOptions & { servername: string } = {
        path: request.url,
        method: request.method,
        headers: requestHeaders(request, ownCookies),
        // An async iterable is accepted though not in the type; unlike a stream it is not destroyed when unused.
        body: (body && this.#watched(body)) as unknown as Dispatcher.DispatchOptions['body'],
        headersTimeout: timeout,
        // Otherwise undici takes it from `Host` and drops the connection whenever that changes.
        servername: lease.backend.url.hostname,
        onConnection: (connection) => (this.#connection = connection),
      }
      this.#repeat = () => {
        this.#repeat = undefined
        this.#controller = undefined
        pool.dispatch(options, this)
      }
      if (this.#response.destroyed) this.#fail(clientGone())
      else pool.dispatch(options, this)
    })
  }

  readonly #onClose = (): void => this.#abandon(clientGone())

  /** The request is not wanted any more; whether and when undici notices makes no difference. */
  #abandon(reason: WslbError): void {
    if (this.#ended) return
    if (this.#controller) this.#connection?.cut(reason)
    this.#fail(reason)
  }

  /** A client that leaves during its upload is gone, whether its body or its response hears of it first. */
  async *#watched(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body
    } catch (error) {
      if (!(error instanceof WslbError)) this.#onClose()
      throw error
    }
  }

  readonly #onDrain = (): void => this.#controller?.resume()

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#ended) controller.abort(clientGone())
  }

  onResponseStarted(): void {
    this.#answered = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    reason = '',
  ): void {
    if (status < 200) return this.#inform(controller, status, headers)
    this.#options.lease.answer(status)
    try {
      this.#writeHead(controller, status, headers, reason)
    } catch (thrown) {
      controller.abort(toWslbError(thrown))
    }
  }

  #writeHead(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    reason: string,
  ): void {
    const { request, lease } = this.#options
    assertChunkedOnly(lease.backend, headers['transfer-encoding'])
    if (this.#options.isLast()) this.#response.shouldKeepAlive = false
    const raw = rawText(controller.rawHeaders)
    const passing = this.#mayCarryTrailers(headers) ? raw : withoutField(raw, 'trailer')
    const fields = responseHeaders(passing, lease.setCookies, request.edits.toClient)
    this.#options.tap?.onHead(status, headers)
    if (reason !== '' && REASON_PHRASE.test(reason)) this.#response.writeHead(status, reason, fields)
    else this.#response.writeHead(status, fields)
    process.nextTick(flush, this.#response)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#options.tap?.onData(chunk)
    this.#options.onBytes(chunk.length)
    if (!this.#response.write(chunk)) controller.pause()
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void {
    this.#options.tap?.onEnd()
    for (const name in trailers) this.#response.addTrailers([[name, String(trailers[name])]])
    this.#response.end()
    this.#settle()
    this.#options.lease.release()
    this.#resolve()
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.#ended) return
    // undici waits for as many bytes as a 304 says the 200 would have had (RFC 9110 §8.6); there are none.
    if (error.code === CUT_SHORT && this.#response.statusCode === 304)
      return this.onResponseEnd(controller, {})
    const failure = this.#explain(error)
    // A kept connection that its backend was just closing says nothing about the backend (RFC 9112 §9.3.1).
    if (failure.code === 'WSLB_BACKEND_RESET' && failure.retryable && this.#connection?.reused)
      this.#repeat?.()
    else this.#fail(failure)
  }

  #fail(error: WslbError): void {
    this.#settle()
    if (this.#response.headersSent) reset(this.#options.message.socket)
    this.#reject(error)
  }

  #settle(): void {
    this.#ended = true
    this.#response.off('close', this.#onClose)
    this.#response.off('drain', this.#onDrain)
  }

  /**
   * 103 Early Hints pass (RFC 8297), a few, while the client keeps up; other interim responses concern this hop only.
   * Written here because Node checks a `Link` with a regular expression that a backend can make run for hours.
   */
  #inform(
    controller: Dispatcher.DispatchController,
    status: number,
    { link }: Record<string, string | string[] | undefined>,
  ): void {
    const { request, message, clock, timeout } = this.#options
    // undici starts its time anew at each of them.
    if (clock.now() - this.#startedAt > timeout) return controller.abort(this.#tooLate())
    const { socket } = message
    if (status !== 103 || link === undefined || request.httpVersion !== '1.1') return
    if (socket.writableNeedDrain || this.#response.headersSent || ++this.#hints > MOST_HINTS) return
    const fields = [link].flat().flatMap((value) => ['Link', value])
    socket.write(responseHead(103, undefined, fields))
  }

  #mayCarryTrailers(headers: Record<string, unknown>): boolean {
    const { method, httpVersion } = this.#options.request
    return (
      'trailer' in headers && 'transfer-encoding' in headers && method !== 'HEAD' && httpVersion === '1.1'
    )
  }

  #tooLate(): WslbError {
    const { lease, timeout } = this.#options
    return new WslbError(
      'WSLB_RESPONSE_TIMEOUT',
      `${lease.backend.url.host} did not answer within ${timeout} ms`,
    )
  }

  /** Whether nothing is lost, and nothing done twice, when the request goes to a backend again. */
  get #repeatable(): boolean {
    if (this.#controller === undefined) return true
    return !this.#answered && this.#options.body === undefined && IDEMPOTENT.has(this.#options.request.method)
  }

  #explain(error: Error & { code?: string }): WslbError {
    const { message, lease } = this.#options
    if (message.errored) return clientGone()
    // Dialling was given up, though the client is still there, only when the balancer closes.
    const closed = error instanceof WslbError && error.code === 'WSLB_CLIENT_GONE'
    if (closed || error.code === 'UND_ERR_DESTROYED' || error.code === 'UND_ERR_CLOSED')
      return balancerClosed()
    // Dialling failed, nothing was sent; or the failure was ours.
    if (error instanceof WslbError) return error
    const { host } = lease.backend.url
    const code = error.code ?? ''
    if (code === 'UND_ERR_INVALID_ARG') {
      return new WslbError('WSLB_BAD_REQUEST', `refused: ${messageOf(error)}`, { cause: error })
    }
    if (code === 'UND_ERR_HEADERS_TIMEOUT') {
      return this.#tooLate()
    }
    if (
      error.name === 'HTTPParserError' ||
      code === 'UND_ERR_HEADERS_OVERFLOW' ||
      (code === CUT_SHORT && !this.#response.headersSent) ||
      messageOf(error) === 'bad upgrade'
    ) {
      return new WslbError('WSLB_BAD_ANSWER', `${host} answered with malformed HTTP: ${messageOf(error)}`, {
        cause: error,
      })
    }
    if (this.#answered) {
      return new WslbError('WSLB_RESPONSE_CUT', `${host} broke off its response: ${messageOf(error)}`, {
        cause: error,
      })
    }
    return new WslbError('WSLB_BACKEND_RESET', `${host} closed the connection: ${messageOf(error)}`, {
      cause: error,
      retryable: this.#repeatable,
    })
  }
}

export function clientGone(): WslbError {
  return new WslbError('WSLB_CLIENT_GONE', 'the client left before the response was complete')
}

/** The head goes out with the first body bytes when they are there, and without them when they are not (SSE). */
function flush(response: ServerResponse): void {
  if (!response.writableEnded && !response.destroyed) response.flushHeaders()
}

function rawText(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  return Array.isArray(raw)
    ? raw.map((item: Buffer | string) => (typeof item === 'string' ? item : item.toString('latin1')))
    : []
}
