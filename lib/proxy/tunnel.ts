import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type CloseCause, type ClosedBy, type TunnelTraffic } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'
import { closeFrame } from '../protocol/frame-writer.ts'
import { type Leg, legsOf } from './leg.ts'
import { type Pulse } from './pulse.ts'

/**
 * How long a leg may stay open, silent, after the other side has finished. Half-close is honoured: whatever the living
 * side still sends is delivered; a side that sends nothing more is not waited for.
 */
const LINGER = 5_000
/** How long the peers may take for a closing handshake of their own. */
const CLOSING = 30_000
/** How much earlier than at the highest age a tunnel may be closed: those that came together do not leave together. */
const AGE_JITTER = 0.1

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
  /** Code of the Close frame of whoever closed first; 1006 when it left without one (RFC 6455 §7.1.5). */
  readonly closeCode: number
  readonly error: Error | undefined
}

/** Times that a reload changes for open tunnels too. In milliseconds. */
export interface TunnelTimes {
  readonly ping: number | false
  readonly idleTimeout: number | false
  readonly maxAge: number | false
  /** For a peer to answer a Close of ours. */
  readonly closeTimeout: number
}

export interface TunnelOptions {
  readonly id: number
  readonly request: IncomingRequest
  readonly backend: Backend
  /** Name of the route that led here. */
  readonly route: string
  /** Milliseconds from the request head to the `101`. */
  readonly handshake: number
  readonly client: Duplex
  readonly upstream: Duplex
  readonly clock: Clock
  readonly random: Random
  /** The times of now. */
  readonly times: () => TunnelTimes
  /** Called exactly once, when both legs are closed. */
  readonly onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
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
  readonly route: string
  readonly handshake: number
  /** In milliseconds since 1970. */
  readonly openedAt: number
  readonly #client: Leg
  readonly #upstream: Leg
  readonly #clock: Clock
  readonly #since: number
  readonly #times: () => TunnelTimes
  readonly #earlier: number
  readonly #onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
  #ending:
    { closedBy: ClosedBy; cause: CloseCause; code: number | undefined; error: Error | undefined } | undefined
  #linger: Timer | undefined

  constructor(options: TunnelOptions) {
    const { client, upstream, clock } = options
    this.id = options.id
    this.request = options.request
    this.backend = options.backend
    this.route = options.route
    this.handshake = options.handshake
    this.#clock = clock
    this.#times = options.times
    this.#earlier = options.random() * AGE_JITTER
    this.#onEnd = options.onEnd
    this.openedAt = clock.wallTime()
    this.#since = clock.now()
    const legs = legsOf(client, upstream, clock)
    this.#client = legs.client
    this.#upstream = legs.upstream
    this.#listen(this.#client, this.#upstream)
    this.#listen(this.#upstream, this.#client)
  }

  get traffic(): TunnelTraffic {
    const { sends: inward, pulse: clientPulse } = this.#client
    const { sends: outward, pulse: backendPulse } = this.#upstream
    return {
      bytesIn: inward.tracker.bytes,
      bytesOut: outward.tracker.bytes,
      messagesIn: inward.tracker.messages,
      messagesOut: outward.tracker.messages,
      framesIn: inward.tracker.frames,
      framesOut: outward.tracker.frames,
      clientRtt: clientPulse.rtt,
      backendRtt: backendPulse.rtt,
    }
  }

  /** Milliseconds since the `101`. */
  get age(): number {
    return this.#clock.now() - this.#since
  }

  /** Milliseconds since something of a message went through; Pings, ours and theirs, do not count. */
  get idle(): number {
    return this.#clock.now() - Math.max(this.#client.sends.activeAt, this.#upstream.sends.activeAt)
  }

  /** It is being closed: by a peer, or by us. */
  get ending(): boolean {
    return this.#ending !== undefined
  }

  /** Looks after both legs, every half period of the heartbeat; one that is dead is cut, and the other is told. */
  beat(): void {
    if (this.#ending) return
    for (const leg of [this.#client, this.#upstream]) {
      if (leg.pulse.beat()) continue
      return this.#giveUp(leg, 'ping', 1001, closeFrame(1001, '', leg === this.#client))
    }
  }

  /** Whether the backend still answers. */
  get backendPulse(): Pulse {
    return this.#upstream.pulse
  }

  /** Gives the backend up, at once; its client is told that it is lost. */
  cutBackend(cause: CloseCause): void {
    if (!this.#ending) this.#giveUp(this.#upstream, cause, 1014, BACKEND_LOST)
  }

  /** Closes the tunnel when neither side has sent a message for the idle time. */
  checkIdle(): void {
    const { idleTimeout } = this.#times()
    if (idleTimeout === false || this.idle < idleTimeout) return
    this.close('idle', { code: 1001, reason: 'idle timeout' })
  }

  /** Closes the tunnel when it has been there for long enough. */
  checkAge(): void {
    const { maxAge } = this.#times()
    if (maxAge === false || this.age < maxAge * (1 - this.#earlier)) return
    this.close('age', { code: 1012, reason: 'maximum age' })
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
   * Close to the backend, then both connections end. A peer that does not answer is not waited for beyond `closeTimeout`.
   */
  close(cause: CloseCause, { code, reason }: CloseReason): void {
    if (this.#ending) return
    this.#ending = { closedBy: 'balancer', cause, code, error: undefined }
    this.#upstream.sends.endWith(closeFrame(code, reason, false))
    this.#client.sends.endAtClose(CLIENT_GONE)
    this.#atMost(this.#times().closeTimeout, () => this.#finishBoth())
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

  #giveUp(leg: Leg, cause: CloseCause, code: number, close: Buffer): void {
    this.#ending = { closedBy: 'balancer', cause, code, error: undefined }
    leg.sends.endWith(close)
    leg.socket.destroy()
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
