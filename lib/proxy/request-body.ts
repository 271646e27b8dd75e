import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Clock, type Timer } from '../core/clock.ts'
import { WslbError } from '../core/errors.ts'

export interface RequestBodyOptions {
  /** The client waits for `100 Continue`, and nobody has sent it yet. */
  readonly awaitsContinue: boolean
  readonly clock: Clock
  /** Milliseconds in which a client must send something of its body. */
  readonly silence: number
}

/** The client's body, read only when a backend is there to take it; `100 Continue` is sent at that moment. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  readonly #clock: Clock
  readonly #silence: number
  #awaitsContinue: boolean
  #timer: Timer | undefined
  /** Read so far. */
  bytes = 0

  constructor(message: IncomingMessage, response: ServerResponse, options: RequestBodyOptions) {
    this.#message = message
    this.#response = response
    this.#clock = options.clock
    this.#silence = options.silence
    this.#awaitsContinue = options.awaitsContinue
  }

  /** RFC 9112 §6.3: without either field a request has no body. */
  get present(): boolean {
    const { headers } = this.#message
    return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  }

  /** The client still waits for its `100 Continue`. */
  get heldBack(): boolean {
    return this.#awaitsContinue
  }

  /** @throws WslbError `WSLB_BODY_CONSUMED` when somebody before us, a body parser perhaps, has read it */
  assertUnread(): void {
    if (!this.present || !this.#message.readableDidRead) return
    throw new WslbError(
      'WSLB_BODY_CONSUMED',
      'the request body was read before it reached the balancer: put handleRequest before body parsers',
    )
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#awaitsContinue) this.#response.writeContinue()
    this.#awaitsContinue = false
    const chunks = this.#message.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array, undefined>
    for (;;) {
      const { done, value } = await this.#inTime(chunks.next())
      if (done === true) return
      this.bytes += value.length
      yield value
    }
  }

  /** Only while the backend waits for more: a backend that takes its time is no fault of the client. */
  async #inTime<T>(next: Promise<T>): Promise<T> {
    const silence = new Promise<never>((_resolve, reject) => {
      this.#timer = this.#clock.schedule(this.#silence, () =>
        reject(
          new WslbError('WSLB_BODY_TIMEOUT', `nothing of the request body came for ${this.#silence} ms`),
        ),
      )
    })
    return Promise.race([next, silence]).finally(() => this.stop())
  }

  /** Nobody waits for more of it. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
