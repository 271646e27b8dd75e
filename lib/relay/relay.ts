import { type IncomingMessage, type ServerResponse } from 'node:http'
import { ConfigError, type ConfigProblem, WslbError } from '../core/errors.ts'
import { Feeds } from './delivery/feeds.ts'
import { Outbox, relayClosed } from './delivery/outbox.ts'
import { fleetingPid } from './session/fleeting-pid.ts'
import { answerHealth } from './health.ts'
import { MemoryStore } from './memory/memory-store.ts'
import { MemoryTransport } from './memory/memory-transport.ts'
import { type RelayOptions } from './options.ts'
import { Attendance } from './presence/attendance.ts'
import { type Presence } from './presence/presence.ts'
import { redisTransport } from './redis/redis-transport.ts'
import {
  type Channel,
  type Published,
  type PublishOptions,
  type Relay,
  type RelayState,
  type RelayStatus,
  type SendOptions,
  type Sent,
  type Subscription,
} from './relay-types.ts'
import { type ResolvedOptions, resolveHistory, resolveOptions } from './resolve-options.ts'
import { type History } from './session/entry.ts'
import { type Payload, seal } from './session/envelope.ts'
import { messageId, type Message } from './session/message.ts'
import { channelNamed, named, RESERVED } from './session/names.ts'
import { type Owner } from './session/registry.ts'
import { type Session, type Transport } from './session/session.ts'
import { type AttachOptions, Attachment } from './sockets/attachment.ts'
import { type RelaySocket } from './sockets/socket.ts'
import { type SubscribeOptions } from './delivery/subscription.ts'

/** Of the channels that are the relay's own. */
const OWN_HISTORY: History = { length: 1_000, ttl: 120_000 }

/**
 * Opens at once; nothing is thrown for a Redis that is away, see {@link Relay.status}.
 * @throws ConfigError for options that are none
 */
export function createRelay(options: RelayOptions = {}): Relay {
  const resolved = resolveOptions(options)
  const transport = options.redis
    ? redisTransport(options.redis, resolved)
    : new MemoryTransport(options.memory ?? new MemoryStore(), resolved.clock)
  return new JoinedRelay(resolved, transport)
}

/** The channel of what is sent to one client. */
export function clientChannel(clientId: string): string {
  return `${RESERVED}c:${clientId}`
}

const LONE_SURROGATE = /\p{Surrogate}/u
const ACKS: ReadonlySet<unknown> = new Set(['replicated', 'master', 'none'])

class JoinedRelay implements Relay {
  readonly nodeId: string
  /** Random per start: the messages of a process that comes back are not repetitions of those before. */
  readonly #pid = Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('base64url')
  readonly #options: ResolvedOptions
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #feeds: Feeds
  readonly #attendance: Attendance
  readonly #ready: Promise<void>
  #settleReady!: { resolve: () => void; reject: (error: WslbError) => void }
  #session: Session | undefined
  #trouble: WslbError | undefined
  #shortage: WslbError | undefined
  #closing: Promise<void> | undefined

  constructor(options: ResolvedOptions, transport: Transport) {
    const { clock, limits } = options
    this.nodeId = options.nodeId
    this.#options = options
    this.#transport = transport
    this.#ready = new Promise((resolve, reject) => (this.#settleReady = { resolve, reject }))
    this.#ready.catch(() => {})
    this.#feeds = new Feeds({
      clock,
      grace: limits.grace,
      established: (channel) => this.#outbox.wake(channel),
      failed: this.#failed,
    })
    this.#attendance = new Attendance({
      nodeId: this.nodeId,
      clock,
      random: options.random,
      bus: {
        publish: (channel, data, how) => this.#publish(channel, data, OWN_HISTORY, how),
        subscribe: (channel, listener, onGap) => this.#feeds.subscribe(channel, false, listener, { onGap }),
        failed: this.#failed,
      },
    })
    const open = (channel: string) => !this.#feeds.isOpening(channel)
    const short = (replicas: number | undefined) => this.#short(replicas)
    this.#outbox = new Outbox({ pid: this.#pid, clock, limits, open, short })
    transport.open({
      begun: (session) => this.#begin(session),
      pushed: (channel, entry) => this.#feeds.pushed(channel, entry),
      trouble: (error) => this.#tell(error),
    })
  }

  ready(): Promise<void> {
    return this.#ready
  }

  async publish(channel: string, data: Payload, options: PublishOptions = {}): Promise<Published> {
    return this.#publish(channelNamed(channel), data, this.#options.history, options)
  }

  subscribe<T extends Payload>(
    channel: string,
    listener: (message: Message<T>) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    return this.#subscribe(channelNamed(channel), this.#options.history.length === 0, listener, options)
  }

  channel<T extends Payload>(
    name: string,
    { history }: { history?: RelayOptions['history'] } = {},
  ): Channel<T> {
    channelNamed(name)
    const kept = history ? resolveHistory('history', history, this.#options.history) : this.#options.history
    return {
      name,
      publish: (data, options = {}) => this.#publish(name, data, kept, options),
      subscribe: (listener, options = {}) => this.#subscribe(name, kept.length === 0, listener, options),
    }
  }

  async sendTo(
    clientId: string,
    data: Payload,
    { history = true, ...options }: SendOptions = {},
  ): Promise<Sent> {
    const kept = history ? this.#options.history : { length: 0, ttl: 0 }
    return this.#publish(clientChannel(clientId), data, kept, options)
  }

  presence(room: string): Presence {
    return this.#attendance.presence(named('room', room))
  }

  async locate(clientId: string): Promise<Owner | null> {
    return (await this.#attendance.locate(clientId)) ?? null
  }

  attach(socket: RelaySocket, options: AttachOptions): Attachment {
    if (this.#closing) throw relayClosed()
    const clientId = named('clientId', options.clientId)
    const ownChannel = clientChannel(clientId)
    const { rooms } = this.#attendance
    return new Attachment(socket, options, {
      clock: this.#options.clock,
      ownChannel,
      subscribe: (channel, listener, how) =>
        channel === ownChannel
          ? this.#feeds.subscribe(channel, false, listener, how)
          : this.subscribe(channel, listener, how),
      hold: (onReplaced) => this.#attendance.hold(clientId, onReplaced),
      join: (room, info, holder) => rooms.join(room, clientId, info, holder),
      leave: (room, holder) => rooms.leave(room, clientId, holder),
      failed: this.#failed,
    })
  }

  handleHealth(request: IncomingMessage, response: ServerResponse): boolean {
    return answerHealth(request, response, this.status())
  }

  status(): RelayStatus {
    const { nodeId } = this
    const session = this.#session?.signal.aborted ? undefined : this.#session
    const lease = session?.leaseLeft()
    return {
      nodeId,
      transport: this.#transport.kind,
      state: this.#state(session),
      trouble: (this.#trouble ?? this.#shortage)?.message,
      master: session?.address,
      epoch: session?.epoch,
      leaseMsLeft: lease === Infinity ? undefined : lease,
      outbox: this.#outbox.status,
      subscriptions: this.#feeds.subscriptions,
      ...this.#feeds.counts,
      epochsInUseByPeers: this.#attendance.epochs,
    }
  }

  close({ drainMs = 1_000 }: { drainMs?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(drainMs))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #publish(channel: string, data: Payload, history: History, options: PublishOptions): Promise<Sent> {
    checkPublish(options)
    const { id, ack = 'replicated', ttlMs } = options
    const expires = ttlMs === undefined ? 0 : this.#options.clock.wallTime() + ttlMs
    const body = seal({ data, id, expires })
    const { seq, offset, epoch, replicas, duplicate, receivers } = await this.#outbox.publish({
      channel,
      history,
      body,
      id,
      ack,
    })
    const pid = history.length === 0 ? fleetingPid(this.#pid) : this.#pid
    return { id: id ?? messageId({ pid, seq }), offset, epoch, replicas, duplicate, nodes: receivers }
  }

  #subscribe<T extends Payload>(
    channel: string,
    fleeting: boolean,
    listener: (message: Message<T>) => void,
    options: SubscribeOptions,
  ): Subscription {
    if (this.#closing) throw relayClosed()
    // What is published there is the application's to know.
    return this.#feeds.subscribe(channel, fleeting, listener as (message: Message) => void, options)
  }

  #begin(session: Session): void {
    this.#session = session
    this.#outbox.begin(session)
    void this.#feeds.begin(session)
    this.#attendance.begin(session)
    this.#settleReady.resolve()
    this.#options.log?.info({ master: session.address, epoch: session.epoch }, 'relay ready')
  }

  readonly #failed = (error: unknown, channel: string): void => {
    this.#options.log?.error({ err: error, channel }, 'a listener of the relay failed')
  }

  #tell(error: WslbError | undefined): void {
    this.#trouble = error
    if (error) this.#options.log?.warn({ code: error.code, reason: error.message }, 'relay in trouble')
  }

  #short(replicas: number | undefined): void {
    const { replicas: wanted } = this.#options.limits
    const message = `publish.replicas is ${wanted}, and ${replicas} ${replicas === 1 ? 'replica holds' : 'replicas hold'} what was published`
    this.#shortage = replicas === undefined ? undefined : new WslbError('WSLB_RELAY_REFUSED', message)
    if (this.#shortage)
      this.#options.log?.warn({ code: this.#shortage.code, reason: message }, 'relay in trouble')
  }

  #state(session: Session | undefined): RelayState {
    if (this.#closing) return 'closed'
    if (!session) return this.#session ? 'away' : 'connecting'
    return this.#trouble || this.#shortage ? 'refused' : 'ready'
  }

  async #close(drain: number): Promise<void> {
    await this.#outbox.close(drain)
    await this.#attendance.close(relayClosed())
    this.#feeds.close()
    await this.#transport.close()
    this.#settleReady.reject(relayClosed())
  }
}

/** @throws ConfigError with everything that is wrong */
function checkPublish({ id, ack, ttlMs }: PublishOptions): void {
  if (id === undefined && ack === undefined && ttlMs === undefined) return
  const problems: ConfigProblem[] = []
  if (id !== undefined && (typeof id !== 'string' || id === '' || LONE_SURROGATE.test(id))) {
    problems.push({ path: 'id', message: 'expected a text of whole characters' })
  }
  if (ack !== undefined && !ACKS.has(ack)) {
    problems.push({ path: 'ack', message: `expected ${[...ACKS].join(', ')}, got ${String(ack)}` })
  }
  if (ttlMs !== undefined && !(ttlMs >= 0)) {
    problems.push({ path: 'ttlMs', message: `expected milliseconds, got ${String(ttlMs)}` })
  }
  if (problems.length > 0) throw new ConfigError(problems)
}
