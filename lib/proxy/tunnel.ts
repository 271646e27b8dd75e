import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { type CloseCause, type ClosedBy } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'
import { closeFrame } from '../protocol/frame-writer.ts'
import { Flow } from './flow.ts'
import { Pulse } from './pulse.ts'

/**
 * How long a leg may stay open, silent, after the other side has finished or a Close of ours has gone out. Half-close
 * is honoured: whatever the living side still sends is delivered; a side that sends nothing more is not waited for.
 */
const LINGER = 5_000
/** How long the peers may take for a closing handshake of their own. */
const CLOSING = 30_000
/** The heartbeat comes twice in the time of silence after which a leg is pinged. */
export const BEATS = 1 / 2
/** The look at idleness comes that often in the idle time. */
export const IDLE_CHECKS = 4

/** What a Close frame says (RFC 6455 §5.5.1). */
export interface CloseReason {
  readonly code: number
  /** Plain text, at most 123 bytes. */
  readonly reason: string
}

/** How a tunnel ended. */
export interface TunnelEnd {
  readonly closedBy: ClosedBy
  readonly cause: CloseCause
  /** Code of the first Close frame, whoever sent it; 1006 when there was none (RFC 6455 §7.1.5). */
  readonly closeCode: number
  readonly error: Error | undefined
}

export interface TunnelOptions {
  readonly id: number
  readonly request: IncomingRequest
  readonly backend: Backend
  readonly client: Duplex
  readonly upstream: Duplex
  readonly clock: Clock
  /** Called exactly once, when both legs are closed. */
  readonly onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
}

/** One side of a tunnel: its socket, and what it sends. */
interface Leg {
  readonly name: 'client' | 'backend'
  readonly socket: Duplex
  readonly sends: Flow
  readonly pulse: Pulse
  closed: boolean
}

/** What has come from one side. */
export interface Traffic {
  readonly bytes: number
  readonly messages: number
  readonly frames: number
}

/** The client has gone: what its backend is told (RFC 6455 §7.4.1). */
const CLIENT_GONE = closeFrame(1001, '', true)
/** The backend was lost: what its client is told. */
const BACKEND_LOST = closeFrame(1014, 'backend lost', false)

/**
 * One live WebSocket through us. Frames are passed on as they come; a Close frame of ours goes in only between two of
 * them. When one leg is lost the other is told so, finished and, after a bounded linger, destroyed.
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
  #ending:
    { closedBy: ClosedBy; cause: CloseCause; code: number | undefined; error: Error | undefined } | undefined
  #linger: Timer | undefined
  #activity = -1
  #idleChecks = 0

  constructor({ id, request, backend, client, upstream, clock, onEnd }: TunnelOptions) {
    this.id = id
    this.request = request
    this.backend = backend
    this.#clock = clock
    this.#onEnd = onEnd
    this.openedAt = clock.now()
    const inward = new Flow(client, upstream)
    const outward = new Flow(upstream, client)
    const pulse = (socket: Duplex, sends: Flow, receives: Flow) =>
      new Pulse({ socket, sends, receives, masked: socket === upstream, clock })
    this.#client = {
      name: 'client',
      socket: client,
      sends: inward,
      closed: false,
      pulse: pulse(client, inward, outward),
    }
    this.#upstream = {
      name: 'backend',
      socket: upstream,
      sends: outward,
      closed: false,
      pulse: pulse(upstream, outward, inward),
    }
    this.#listen(this.#client, this.#upstream)
    this.#listen(this.#upstream, this.#client)
  }

  /** What came from the client. */
  get fromClient(): Traffic {
    return this.#client.sends.tracker
  }

  /** What came from the backend. */
  get fromBackend(): Traffic {
    return this.#upstream.sends.tracker
  }

  get rtt(): { readonly clientRtt: number | undefined; readonly backendRtt: number | undefined } {
    return { clientRtt: this.#client.pulse.rtt, backendRtt: this.#upstream.pulse.rtt }
  }

  /** Looks after both legs, every half period of the heartbeat; one that is dead is cut, and the other is told. */
  beat(): void {
    if (this.#ending) return
    for (const leg of [this.#client, this.#upstream]) {
      if (leg.pulse.beat()) continue
      this.#ending = { closedBy: 'balancer', cause: 'ping', code: 1001, error: undefined }
      leg.sends.endWith(closeFrame(1001, '', leg === this.#client))
      leg.socket.destroy()
      return
    }
  }

  /** Closes the tunnel when neither side has sent a message for the idle time; Pings, ours and theirs, do not count. */
  checkIdle(): void {
    const activity = this.#client.sends.messageActivity + this.#upstream.sends.messageActivity
    if (activity !== this.#activity) {
      this.#activity = activity
      this.#idleChecks = 0
    } else if (++this.#idleChecks === IDLE_CHECKS) {
      this.close('idle', { code: 1001, reason: 'idle timeout' })
    }
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

  /**
   * Closes as the protocol asks: Close to the client, what the client still sends is delivered until its own Close,
   * Close to the backend, then both connections end. A peer that does not answer is not waited for beyond the linger.
   */
  close(cause: CloseCause, { code, reason }: CloseReason): void {
    if (this.#ending) return
    this.#ending = { closedBy: 'balancer', cause, code, error: undefined }
    this.#upstream.sends.endWith(closeFrame(code, reason, false))
    this.#client.sends.endAtClose(CLIENT_GONE)
    this.#atMost(LINGER, () => this.#finishBoth())
  }

  /** Cuts both legs now. */
  destroy(cause: CloseCause): void {
    this.#ending ??= { closedBy: 'balancer', cause, code: undefined, error: undefined }
    this.#client.socket.destroy()
    this.#upstream.socket.destroy()
  }

  #listen(from: Leg, to: Leg): void {
    const { socket } = from
    socket.on('data', (chunk: Buffer) => this.#pass(from, to, chunk))
    socket.on('drain', () => to.socket.resume())
    socket.on('end', () => this.#finished(from, to))
    socket.on('error', (error) => {
      this.#ending ??= { closedBy: from.name, cause: 'error', code: undefined, error }
    })
    socket.on('close', () => this.#closed(from, to))
  }

  #pass(from: Leg, to: Leg, chunk: Buffer): void {
    const { sends } = from
    const alreadyOver = sends.over
    sends.pass(chunk)
    if (sends.over && !alreadyOver && from === this.#client) return this.#finishBoth()
    if (sends.tracker.closing && !this.#ending) {
      this.#ending = { closedBy: from.name, cause: 'normal', code: undefined, error: undefined }
      this.#atMost(CLOSING, () => this.#finishBoth())
    }
    if (this.#linger && to.socket.writable && this.#oneHasFinished) this.#atMost(LINGER, () => this.#cut())
  }

  /** Half-closed but alive: then the linger counts silence, not time. */
  get #oneHasFinished(): boolean {
    return this.#client.socket.readableEnded || this.#upstream.socket.readableEnded
  }

  #finished(from: Leg, to: Leg): void {
    this.#lost(from, to)
    this.#atMost(LINGER, () => this.#cut())
  }

  #closed(leg: Leg, other: Leg): void {
    leg.closed = true
    if (!other.closed) {
      this.#lost(leg, other)
      // Nobody reads what this one sends any more; reading on lets its FIN be noticed.
      other.socket.resume()
      return this.#atMost(LINGER, () => this.#cut())
    }
    this.#linger?.cancel()
    const { closedBy, cause, code, error } = this.#ending!
    const closeCode = code ?? this.#codeOf(closedBy) ?? 1006
    this.#onEnd(this, { closedBy, cause, closeCode, error })
  }

  /** Nothing more comes from this leg. If it has left without a word, we say it for it. */
  #lost(leg: Leg, other: Leg): void {
    const { sends } = leg
    this.#ending ??= { closedBy: leg.name, cause: 'error', code: undefined, error: undefined }
    if (!sends.tracker.closing) sends.endWith(leg === this.#client ? CLIENT_GONE : BACKEND_LOST)
    // Ending what has ended already costs an error object with a stack.
    if (other.socket.writable) other.socket.end()
  }

  #codeOf(closedBy: ClosedBy): number | undefined {
    const leg = closedBy === 'client' ? this.#client : this.#upstream
    return leg.sends.tracker.closeCode
  }

  /** The closing handshake is done, or has taken too long. */
  #finishBoth(): void {
    this.#client.sends.endWith(CLIENT_GONE)
    this.#client.socket.end()
    this.#upstream.socket.end()
    this.#atMost(LINGER, () => this.#cut())
  }

  #cut(): void {
    this.#client.socket.destroy()
    this.#upstream.socket.destroy()
  }

  #atMost(milliseconds: number, then: () => void): void {
    this.#linger?.cancel()
    this.#linger = this.#clock.schedule(milliseconds, then)
  }
}
