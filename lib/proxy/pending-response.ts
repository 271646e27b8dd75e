import { type ServerResponse } from 'node:http'
import { type Cancellable } from '../core/cancellable.ts'
import { type Waiter } from './hold.ts'

/** The client of a request that has not been answered yet. */
export class PendingResponse implements Waiter {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  get gone(): AbortSignal {
    const gone = new AbortController()
    if (this.hasLeft) gone.abort()
    else this.#response.once('close', () => gone.abort())
    return gone.signal
  }

  get hasLeft(): boolean {
    return this.#response.closed
  }

  whenLeft(callback: () => void): Cancellable {
    this.#response.on('close', callback)
    return { cancel: () => this.#response.off('close', callback) }
  }
}
