import { type IncomingMessage, type ServerResponse } from 'node:http'
import { WslbError } from '../core/errors.ts'

/** The client's body, read only when a backend is there to take it; `100 Continue` is sent at that moment. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #message: IncomingMessage
  readonly #response: ServerResponse
  #awaitsContinue: boolean
  /** Read so far. */
  bytes = 0

  constructor(message: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) {
    this.#message = message
    this.#response = response
    this.#awaitsContinue = awaitsContinue
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
    for await (const chunk of this.#message.iterator({ destroyOnReturn: false })) {
      this.bytes += (chunk as Uint8Array).length
      yield chunk as Uint8Array
    }
  }
}
