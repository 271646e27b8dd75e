import { type Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { type CloseCause, type ClosedBy } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'

/**
 * How long a leg may stay open, silent, after the other side has finished. Half-close is honoured: whatever the
 * living side still sends is delivered; a side that sends nothing more is not waited for.
 */
const LINGER = 5_000

/** How a tunnel ended. */
export interface TunnelEnd {
  readonly closedBy: ClosedBy
  readonly cause: CloseCause
  readonly error: Error | undefined
}

export interface TunnelOptions {
  readonly id: number
  readonly request: IncomingRequest
  readonly backend: Backend
  readonly client: Duplex
  readonly upstream: Duplex
  readonly clock: Clock
  /** Milliseconds without traffic after which the tunnel is closed. */
  readonly idle: number | false
  /** Called exactly once, when both legs are closed. */
  readonly onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
}

/** One side of a tunnel, and what came from it. */
class Leg {
  readonly name: 'client' | 'backend'
  readonly socket: Duplex
  bytes = 0
  /** It has sent FIN. */
  finished = false
  closed = false

  constructor(name: 'client' | 'backend', socket: Duplex) {
    this.name = name
    this.socket = socket
  }
}

/**
 * One live WebSocket through us. Bytes are passed on as they come, with back-pressure both ways; FIN is passed on as
 * FIN; when one leg is lost the other is finished and, after a bounded linger, destroyed.
 */
export class Tunnel {
  readonly id: number
  readonly request: IncomingRequest
  readonly backend: Backend
  readonly openedAt: number
  readonly #client: Leg
  readonly #upstream: Leg
  readonly #clock: Clock
  readonly #onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
  #end: TunnelEnd | undefined
  #linger: Timer | undefined

  constructor({ id, request, backend, client, upstream, clock, idle, onEnd }: TunnelOptions) {
    this.id = id
    this.request = request
    this.backend = backend
    this.#clock = clock
    this.#onEnd = onEnd
    this.openedAt = clock.now()
    this.#client = new Leg('client', client)
    this.#upstream = new Leg('backend', upstream)
    this.#splice(this.#client, this.#upstream)
    this.#splice(this.#upstream, this.#client)
    if (idle !== false) {
      // Everything that passes through touches the client's socket, so one timeout sees both directions.
      ;(client as Socket).setTimeout(idle, () => this.close('idle'))
    }
  }

  /** Bytes that came from the client. */
  get bytesIn(): number {
    return this.#client.bytes
  }

  /** Bytes that came from the backend. */
  get bytesOut(): number {
    return this.#upstream.bytes
  }

  /** Starts the flow, first what either side sent before it. */
  start(early: { fromClient: readonly Buffer[]; clientEnded: boolean; fromBackend: Buffer }): void {
    const { fromClient, clientEnded, fromBackend } = early
    if (fromBackend.length > 0) this.#pass(this.#upstream, this.#client, fromBackend)
    for (const chunk of fromClient) this.#pass(this.#client, this.#upstream, chunk)
    if (clientEnded) this.#finished(this.#client, this.#upstream)
    if (!this.#upstream.socket.writableNeedDrain) this.#client.socket.resume()
    if (!this.#client.socket.writableNeedDrain) this.#upstream.socket.resume()
  }

  /** Ends both legs in order: what is queued is still delivered, within the linger. */
  close(cause: CloseCause): void {
    this.#end ??= { closedBy: 'balancer', cause, error: undefined }
    this.#client.socket.end()
    this.#upstream.socket.end()
    this.#keepAtMost(LINGER)
  }

  /** Cuts both legs now. */
  destroy(cause: CloseCause): void {
    this.#end ??= { closedBy: 'balancer', cause, error: undefined }
    this.#client.socket.destroy()
    this.#upstream.socket.destroy()
  }

  #splice(from: Leg, to: Leg): void {
    const { socket } = from
    socket.on('data', (chunk: Buffer) => this.#pass(from, to, chunk))
    socket.on('drain', () => to.socket.resume())
    socket.on('end', () => this.#finished(from, to))
    socket.on('error', (error) => {
      this.#end ??= { closedBy: from.name, cause: 'error', error }
    })
    socket.on('close', () => this.#closed(from, to))
  }

  #pass(from: Leg, to: Leg, chunk: Buffer): void {
    from.bytes += chunk.length
    if (!to.socket.writable) return
    if (!to.socket.write(chunk)) from.socket.pause()
    // Half-closed but alive: the linger counts silence, not time.
    if (this.#linger && to.finished) this.#keepAtMost(LINGER)
  }

  #finished(from: Leg, to: Leg): void {
    from.finished = true
    this.#end ??= { closedBy: from.name, cause: 'normal', error: undefined }
    to.socket.end()
    this.#keepAtMost(LINGER)
  }

  #closed(leg: Leg, other: Leg): void {
    leg.closed = true
    this.#end ??= { closedBy: leg.name, cause: 'error', error: undefined }
    if (!other.closed) {
      // Nobody reads what this one sends any more; reading on lets its FIN be noticed.
      other.socket.end()
      other.socket.resume()
      this.#keepAtMost(LINGER)
      return
    }
    this.#linger?.cancel()
    this.#onEnd(this, this.#end)
  }

  #keepAtMost(milliseconds: number): void {
    this.#linger?.cancel()
    this.#linger = this.#clock.schedule(milliseconds, () => {
      this.#client.socket.destroy()
      this.#upstream.socket.destroy()
    })
  }
}
