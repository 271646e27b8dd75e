import { once } from 'node:events'
import { type Socket } from 'node:net'
import { type Cancellable } from '../core/cancellable.ts'
import { type Clock } from '../core/clock.ts'

/** Early bytes kept for the backend; what a client sends beyond that waits in its own kernel. */
const EARLY_LIMIT = 64 * 1024
/** How long a refused client may take to read the refusal and close. */
const LINGER = 2_000

/**
 * The client of an upgrade that has not been answered yet. Node hands its socket over bare, without an `error`
 * listener or a timeout; here it is read on, so that a client that leaves is noticed, and what it sends early is kept.
 */
export class PendingClient {
  readonly socket: Socket
  readonly #clock: Clock
  readonly #gone = new AbortController()
  #early: Buffer[] = []
  #size = 0
  #ended = false

  constructor(socket: Socket, head: Buffer, clock: Clock) {
    this.socket = socket
    this.#clock = clock
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    if (head.length > 0) this.#onData(head)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    if (socket.destroyed) this.#onClose()
    else if (this.#size < EARLY_LIMIT) socket.resume()
  }

  /** Aborts when the client has gone. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** A client that has half-closed has nothing to wait for: the WebSocket it asked for could say nothing to us. */
  get hasLeft(): boolean {
    return this.#ended || this.gone.aborted
  }

  /** Calls back when {@link hasLeft} has become true. */
  whenLeft(callback: () => void): Cancellable {
    const { gone, socket } = this
    gone.addEventListener('abort', callback)
    socket.on('end', callback)
    const cancel = () => {
      gone.removeEventListener('abort', callback)
      socket.off('end', callback)
    }
    return { cancel }
  }

  readonly #onError = (): void => {}

  readonly #onClose = (): void => this.#gone.abort()

  readonly #onEnd = (): void => {
    this.#ended = true
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#early.push(chunk)
    this.#size += chunk.length
    if (this.#size >= EARLY_LIMIT) this.socket.pause()
  }

  /** Hands the socket on, paused, with what the client has sent so far and whether it has half-closed. */
  release(): { early: readonly Buffer[]; ended: boolean } {
    this.socket.pause()
    this.socket.off('data', this.#onData)
    this.socket.off('end', this.#onEnd)
    this.socket.off('close', this.#onClose)
    this.socket.off('error', this.#onError)
    return { early: this.#early, ended: this.#ended }
  }

  /** Sends a complete last answer and closes. */
  answer(bytes: Buffer): void {
    this.beginAnswer(bytes)
    this.endAnswer()
  }

  /** What the client has sent early is dropped, and what it still sends too. */
  beginAnswer(bytes: Buffer): void {
    this.socket.off('data', this.#onData)
    this.#early = []
    this.socket.resume()
    if (this.socket.writable) this.socket.write(bytes)
  }

  /** Settles when more can be written, or the client has gone. */
  async drained(): Promise<void> {
    if (!this.socket.writableNeedDrain) return
    await once(this.socket, 'drain', { signal: this.gone }).catch(() => {})
  }

  /**
   * Closes in order. What the client still sends is read for a moment: closing with unread bytes would reset the
   * connection, and the answer could be lost with it (RFC 9112 §9.6).
   */
  endAnswer(bytes?: Buffer): void {
    const { socket } = this
    if (socket.destroyed) return
    const timer = this.#clock.schedule(LINGER, () => socket.destroy())
    socket.once('close', () => timer.cancel())
    socket.once('end', () => socket.destroySoon())
    if (bytes) socket.end(bytes)
    else socket.end()
    if (this.#ended) socket.destroySoon()
  }
}
