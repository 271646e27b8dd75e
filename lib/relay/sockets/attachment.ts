import { ConfigError, type ConfigProblem } from '../../core/errors.ts'
import { type Clock, type Timer } from '../../core/clock.ts'
import { type GapEvent, type SubscribeOptions, type Subscription } from '../delivery/subscription.ts'
import { type Hold } from '../presence/hold.ts'
import { type Payload } from '../session/envelope.ts'
import { guarded } from '../session/guarded.ts'
import { type Message } from '../session/message.ts'
import { type Position } from '../session/position.ts'
import { type Owner } from '../session/registry.ts'
import { atOf } from './at.ts'
import { encodeFrame, type Frame, messageText } from './frame.ts'
import { ResumeToken } from './resume-token.ts'
import { type RelaySocket } from './socket.ts'

export interface AttachOptions {
  /** Who it is, as the application has found out. */
  clientId: string
  /** What the client says of where it stood: `JSON.stringify({ [channel]: at })`. Anything else is told as a gap. */
  resume?: string | null | undefined
  /** Bytes that may wait in the socket before nothing more is given to it. @default 256 KiB */
  highWater?: number
  /**
   * What a client gets that was too slow: everything that came meanwhile; only the newest message of each channel, the
   * rest as a gap; or a close with 1013, to come back with its token. @default 'catch-up'
   */
  slow?: 'catch-up' | 'latest' | 'close'
  /** What a client is sent. @default JSON, see {@link Frame} */
  encode?: (frame: Frame) => string | Uint8Array
  /** The client has been told in its place, too. */
  onGap?: (gap: GapEvent) => void
  /** The client has a newer connection, to any node. @default the socket is closed with 4409 */
  onReplaced?: (by: Owner) => void
}

type Followed = Pick<Subscription, 'channel' | 'ready' | 'position' | 'pause' | 'resume' | 'close'>

export interface AttachmentContext {
  readonly clock: Clock
  /** The channel of what is sent to the client. */
  readonly ownChannel: string
  subscribe(channel: string, listener: (message: Message) => void, options: SubscribeOptions): Followed
  hold(onReplaced: (by: Owner) => void): Hold
  join(room: string, info: Payload | undefined, holder: object): Promise<void>
  leave(room: string, holder: object): Promise<void>
  failed(error: unknown, channel: string): void
}

const SLOW: ReadonlySet<unknown> = new Set(['catch-up', 'latest', 'close'])
const TRY_AGAIN_LATER = 1013
const REPLACED = 4409
const ENDS = ['close', 'error'] as const
/** Sockets that have a listener of errors for good. */
const heard = new WeakSet<RelaySocket>()
/** Milliseconds after which a full socket is looked at, in case it does not say when it has written. */
const LOOK = 250

/**
 * A socket that gets what its client subscribes to. Nothing is queued for it: while the socket is full, only the place in
 * each channel is kept.
 */
export class Attachment {
  readonly clientId: string
  readonly #socket: RelaySocket
  readonly #options: AttachOptions
  readonly #context: AttachmentContext
  readonly #highWater: number
  readonly #token: ResumeToken
  readonly #hold: Hold
  readonly #subscriptions = new Map<string, Followed>()
  readonly #rooms = new Set<string>()
  /** Channel → `at` of the last frame that was written. */
  readonly #written = new Map<string, string>()
  #full = false
  #look: Timer | undefined
  #closed = false

  constructor(socket: RelaySocket, options: AttachOptions, context: AttachmentContext) {
    this.clientId = options.clientId
    this.#socket = socket
    this.#options = options
    this.#context = context
    checkOptions(options)
    this.#highWater = options.highWater ?? 256 << 10
    this.#token = new ResumeToken(options.resume)
    this.#hold = context.hold((by) => this.#replaced(by))
    for (const event of ENDS) socket.on(event, this.#ended)
    void this.#follow(context.ownChannel)
  }

  /**
   * Settles when everything that is published from then on is delivered; the client is told `{ channel, at }`.
   * @param channel checked by the application, if the client names it
   * @param from @default where the client says it stood, else `'now'`
   * @throws ConfigError for what cannot be a channel; an error when it is closed before
   */
  subscribe(channel: string, { from }: Pick<SubscribeOptions, 'from'> = {}): Promise<void> {
    const ready = new Promise<void>((resolve) => resolve(this.#follow(channel, from)))
    // Nobody has to wait for it.
    ready.catch(() => {})
    return ready
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.get(channel)?.close()
    this.#subscriptions.delete(channel)
    this.#written.delete(channel)
  }

  /** As `relay.presence(room).join()`; the client leaves with this socket, unless it has joined by a newer one. */
  async join(room: string, info?: Payload): Promise<void> {
    this.#rooms.add(room)
    await this.#context.join(room, info, this)
    if (this.#closed) await this.#context.leave(room, this)
  }

  async leave(room: string): Promise<void> {
    this.#rooms.delete(room)
    await this.#context.leave(room, this)
  }

  /**
   * Where the client stands by what was written to its socket, as `resume` takes it. What the client keeps itself is better:
   * what was written may not have arrived.
   */
  token(): string {
    return JSON.stringify(Object.fromEntries(this.#written))
  }

  /** The socket gets nothing any more; it stays open. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#look?.cancel()
    this.#hold.release()
    for (const subscription of this.#subscriptions.values()) subscription.close()
    for (const room of this.#rooms) this.#context.leave(room, this).catch(() => {})
    if (this.#socket.off) this.#guard(this.#context.ownChannel, () => this.#stopListening())
  }

  /** Its errors stay harmless: without a listener, one would end the process. */
  #stopListening(): void {
    if (!heard.has(this.#socket)) this.#socket.on('error', () => {})
    heard.add(this.#socket)
    for (const event of ENDS) this.#socket.off?.(event, this.#ended)
  }

  readonly #ended = (): void => this.close()

  #follow(channel: string, from?: SubscribeOptions['from']): Promise<void> {
    const known = this.#subscriptions.get(channel)
    if (known || this.#closed) return known?.ready ?? Promise.resolve()
    const said = from === undefined ? this.#token.take(channel) : undefined
    if (said === 'bad') this.#lost({ channel, from: 0, to: 0, reason: 'bad-token' })
    const place = from ?? (said === 'bad' ? undefined : said) ?? 'now'
    if (typeof place !== 'string') this.#written.set(channel, atOf(place))
    const subscription = this.#context.subscribe(channel, (message) => this.#deliver(message), {
      from: place,
      onGap: (gap) => this.#lost(gap),
    })
    this.#subscriptions.set(channel, subscription)
    if (this.#full) subscription.pause()
    const ready = subscription.ready.then(() => this.#tellPlace(subscription))
    ready.catch(() => {})
    return ready
  }

  #deliver(message: Message): void {
    const position = this.#positionIn(message.channel)
    if (!position) return
    const { encode } = this.#options
    const { channel, data } = message
    if (encode) this.#send(channel, atOf(position), { channel, data, at: atOf(position) })
    else this.#write(channel, atOf(position), messageText(message, position))
  }

  #lost(event: GapEvent): void {
    const { channel, ...gap } = event
    const position = this.#positionIn(channel)
    const at = position && atOf(position)
    this.#send(channel, at, at === undefined ? { channel, gap } : { channel, gap, at })
    this.#guard(channel, () => this.#options.onGap?.(event))
  }

  #tellPlace({ channel }: Followed): void {
    const position = this.#positionIn(channel)
    if (position) this.#send(channel, atOf(position), { channel, at: atOf(position) })
  }

  #positionIn(channel: string): Position | undefined {
    return this.#subscriptions.get(channel)?.position()
  }

  #send(channel: string, at: string | undefined, frame: Frame): void {
    const { encode = encodeFrame } = this.#options
    this.#guard(channel, () => this.#write(channel, at, encode(frame)))
  }

  #write(channel: string, at: string | undefined, frame: string | Uint8Array): void {
    if (this.#closed) return
    try {
      this.#socket.send(frame, (error) => {
        if (error) return this.close()
        if (at !== undefined && this.#subscriptions.has(channel)) this.#written.set(channel, at)
        this.#drain()
      })
    } catch {
      return this.#end(TRY_AGAIN_LATER, 'try again later')
    }
    if (!this.#full && this.#socket.bufferedAmount > this.#highWater) this.#fill()
  }

  #fill(): void {
    if (this.#options.slow === 'close') return this.#end(TRY_AGAIN_LATER, 'too slow')
    this.#full = true
    for (const subscription of this.#subscriptions.values()) subscription.pause()
    this.#lookLater()
  }

  #lookLater(): void {
    this.#look = this.#context.clock.schedule(LOOK, () => {
      this.#drain()
      if (this.#full) this.#lookLater()
    })
  }

  #drain(): void {
    if (!this.#full || this.#closed || this.#socket.bufferedAmount > this.#highWater / 2) return
    this.#full = false
    this.#look?.cancel()
    const skip = this.#options.slow === 'latest'
    for (const subscription of this.#subscriptions.values()) {
      subscription.resume({ skip })
      // Full again: the rest stays where it is.
      if (this.#full) return
    }
  }

  #replaced(by: Owner): void {
    const { onReplaced } = this.#options
    if (onReplaced) this.#guard(this.#context.ownChannel, () => onReplaced(by))
    else this.#end(REPLACED, 'replaced')
  }

  #end(code: number, reason: string): void {
    this.close()
    this.#guard(this.#context.ownChannel, () => this.#socket.close(code, reason))
  }

  #guard(channel: string, call: () => unknown): void {
    guarded(call, (error) => this.#context.failed(error, channel))
  }
}

/** @throws ConfigError with everything that is wrong */
function checkOptions({ highWater, slow }: AttachOptions): void {
  const problems: ConfigProblem[] = []
  if (highWater !== undefined && !(highWater >= 0)) {
    problems.push({ path: 'highWater', message: `expected bytes, got ${String(highWater)}` })
  }
  if (slow !== undefined && !SLOW.has(slow)) {
    problems.push({ path: 'slow', message: `expected ${[...SLOW].join(', ')}, got ${String(slow)}` })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
