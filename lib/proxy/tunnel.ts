import { type Backend } from '../core/backend.ts'
import { type Clock, type Timer } from '../core/clock.ts'
import { type CloseCause, type ClosedBy, type TunnelTraffic } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'
import { closeFrame } from '../protocol/frame-writer.ts'
import { type Leg, legsOf } from './leg.ts'
import { type MessageMode } from './message-mode.ts'
import { type MessageStop } from './message-stop.ts'
import { type Pulse } from './pulse.ts'
import { type CloseReason, type TunnelEnd, type TunnelOptions, type TunnelTimes } from './tunnel-options.ts'

/**
 * How long a leg may stay open, silent, after the other side has finished. Half-close is honoured: whatever the living
 * side still sends is delivered; a side that sends nothing more is not waited for.
 */
const LINGER = 5_000
/** How long the peers may take for a closing handshake of their own. */
const CLOSING = 30_000
/** How much earlier than at the highest age a tunnel may be closed: those that came together do not leave together. */
const AGE_JITTER = 0.1

/** The client has gone: what its backend is told (RFC 6455 §7.4.1), masked anew each time (§5.3). */
const closeToBackend = () => closeFrame(1001, '', true)
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
  readonly #messages: MessageMode | undefined
  readonly #onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
  #ending:
    { closedBy: ClosedBy; cause: CloseCause; code: number | undefined; error: Error | undefined } | undefined
  #linger: Timer | undefined
  /** Nothing is waited for beyond this time of the clock: a closing handshake is under way. */
  #deadline = Infinity
  /** Nothing more is waited for but the end of both connections. */
  #finishing = false

  constructor(options: TunnelOptions) {
    const { client, upstream, clock, messages } = options
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
    this.#messages = messages
    const legs = legsOf(
      client,
      upstream,
      clock,
      messages && {
        mode: messages,
        onProgress: (leg, other) => this.#follow(leg, other),
        onStop: (stop) => this.#stop(stop),
      },
    )
    this.#client = legs.client
    this.#upstream = legs.upstream
    this.#listen(this.#client, this.#upstream)
    this.#listen(this.#upstream, this.#client)
  }

  get traffic(): TunnelTraffic {
    const { sends: inward, pulse: clientPulse } = this.#client
    const { sends: outward, pulse: backendPulse } = this.#upstream
    return {
      bytesIn: inward.counts.bytes,
      bytesOut: outward.counts.bytes,
      messagesIn: inward.counts.messages,
      messagesOut: outward.counts.messages,
      framesIn: inward.counts.frames,
      framesOut: outward.counts.frames,
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

  /** Milliseconds since something of a message came from the backend, at first since the `101`. */
  get backendIdle(): number {
    return this.#clock.now() - this.#upstream.sends.activeAt
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
    if (clientEnded) this.#finished(this.#client)
    if (!this.#upstream.socket.writableNeedDrain) this.#client.sends.resume()
    if (!this.#client.socket.writableNeedDrain) this.#upstream.sends.resume()
  }

  /**
   * Closes as the protocol asks: Close to the client, what the client still sends is delivered until its own Close,
   * Close to the backend, then both connections end. A peer that does not answer is not waited for beyond `closeTimeout`.
   */
  close(cause: CloseCause, { code, reason }: CloseReason): void {
    if (this.#ending) return
    this.#ending = { closedBy: 'balancer', cause, code, error: undefined }
    this.#upstream.sends.endWith(closeFrame(code, reason, false))
    this.#client.sends.endAtClose(closeToBackend())
    this.#finishWithin(this.#times().closeTimeout)
  }

  /** Cuts both legs now. */
  destroy(cause: CloseCause): void {
    this.#ending ??= { closedBy: 'balancer', cause, code: undefined, error: undefined }
    this.#client.socket.destroy()
    this.#upstream.socket.destroy()
  }

  /** A message or its hook ends the tunnel: each side gets a Close behind what has come for it, and nothing more. */
  #stop({ cause, code, error, toClient, toBackend }: MessageStop): void {
    this.#ending ??= { closedBy: 'balancer', cause, code, error: undefined }
    this.#ending.error ??= error
    this.#client.sends.endWith(closeFrame(toBackend.code, toBackend.reason, true))
    this.#upstream.sends.endWith(closeFrame(toClient.code, toClient.reason, false))
    this.#finishBoth()
  }

  #listen(from: Leg, to: Leg): void {
    const { socket } = from
    socket.on('data', (chunk: Buffer) => this.#pass(from, to, chunk))
    socket.on('drain', () => to.sends.resume())
    socket.on('end', () => this.#finished(from))
    socket.on('error', (error) => {
      this.#ending ??= { closedBy: from.name, cause: 'error', code: undefined, error }
    })
    socket.on('close', () => this.#closed(from, to))
  }

  #pass(from: Leg, to: Leg, chunk: Buffer): void {
    from.sends.pass(chunk)
    this.#follow(from, to)
  }

  /** Heeds what has gone through. */
  #follow(from: Leg, to: Leg): void {
    const { sends } = from
    if (sends.over && from === this.#client && !this.#finishing) return this.#finishBoth()
    if (sends.closing && !this.#ending) {
      this.#ending = { closedBy: from.name, cause: 'normal', code: undefined, error: undefined }
      this.#finishWithin(CLOSING)
    }
    if (this.#linger && !sends.over && to.socket.writable && this.#oneHasFinished) this.#cutWhenSilent()
  }

  /** Half-closed but alive: then the linger counts silence, not time. */
  get #oneHasFinished(): boolean {
    return this.#client.socket.readableEnded || this.#upstream.socket.readableEnded
  }

  #finished(from: Leg): void {
    this.#lost(from)
    this.#cutWhenSilent()
  }

  #closed(leg: Leg, other: Leg): void {
    leg.closed = true
    if (!other.closed) {
      this.#lost(leg)
      // Nobody reads what this one sends any more; reading on lets its FIN be noticed.
      other.socket.resume()
      return this.#cutWhenSilent()
    }
    this.#linger?.cancel()
    this.#messages?.end()
    const { closedBy, cause, code, error } = this.#ending!
    const closeCode = code ?? this.#codeOf(closedBy) ?? 1006
    const closeCodeIn = this.#codeOf('client')
    const closeCodeOut = this.#codeOf('backend')
    this.#onEnd(this, { closedBy, cause, closeCode, closeCodeIn, closeCodeOut, error })
  }

  /** Nothing more comes from this leg. If it has left without a word, we say it for it. */
  #lost(leg: Leg): void {
    const { sends } = leg
    this.#ending ??= { closedBy: leg.name, cause: 'error', code: undefined, error: undefined }
    sends.finish(leg === this.#client ? closeToBackend() : BACKEND_LOST)
  }

  #codeOf(closedBy: ClosedBy): number | undefined {
    const leg = closedBy === 'client' ? this.#client : this.#upstream
    return leg.sends.closeCode
  }

  #giveUp(leg: Leg, cause: CloseCause, code: number, close: Buffer): void {
    this.#ending = { closedBy: 'balancer', cause, code, error: undefined }
    leg.sends.endWith(close)
    leg.socket.destroy()
  }

  /** The closing handshake is done, or has taken too long. */
  #finishBoth(): void {
    this.#finishing = true
    this.#client.sends.finish(closeToBackend())
    this.#upstream.sends.finish()
    this.#cutWhenSilent()
  }

  /** A closing handshake has begun. */
  #finishWithin(milliseconds: number): void {
    this.#deadline = this.#clock.now() + milliseconds + LINGER
    this.#atMost(milliseconds, () => this.#finishBoth())
  }

  /** What a hook is at work on is not silence; a hook has a time limit of its own. */
  #cutWhenSilent(): void {
    this.#atMost(LINGER, () => {
      const pending = this.#client.sends.pending || this.#upstream.sends.pending
      if (pending && this.#clock.now() < this.#deadline) this.#cutWhenSilent()
      else this.#cut()
    })
  }

  #cut(): void {
    this.#client.socket.destroy()
    this.#upstream.socket.destroy()
  }

  #atMost(milliseconds: number, then: () => void): void {
    this.#linger?.cancel()
    const left = this.#deadline - this.#clock.now()
    this.#linger = this.#clock.schedule(Math.max(0, Math.min(milliseconds, left)), then)
  }
}
