import {
  type BroadcastOptions,
  ClusterAdapter,
  type ClusterMessage,
  type ClusterResponse,
  MessageType,
  type Room,
  type Session,
  type SocketId,
} from 'socket.io-adapter'
import { inTime } from '../../core/in-time.ts'
import { type GapEvent } from '../delivery/subscription.ts'
import { type Relay } from '../relay-types.ts'
import { ClientAcks } from './client-acks.ts'
import { Headcount } from './headcount.ts'
import { Members } from './members.ts'
import { type HostNamespace, type HostPacket } from './namespace.ts'
import { NamespaceChannel } from './namespace-channel.ts'
import { type ResolvedAdapterOptions } from './options.ts'
import { type Answered, Questions } from './questions.ts'
import { Recovery, type Standing } from './recovery.ts'
import { type StoredSession } from './sessions.ts'
import {
  type Audience,
  type Told,
  type ToldBroadcast,
  type ToldQuestion,
  audienceOf,
  toldOptions,
  withDefaults,
} from './told.ts'

/** Milliseconds. */
const LONGEST_CLOSE = 2_000
/** Whom the base class is to answer when a node has asked itself. */
const SELF = ''

/**
 * One namespace of one server. What is to happen is published in the namespace's channel and happens when it comes back
 * from there, on this node as on the others: all do the same things in the same order.
 */
export class RelayAdapter extends ClusterAdapter {
  readonly #host: HostNamespace
  readonly #options: ResolvedAdapterOptions
  readonly #channel: NamespaceChannel
  readonly #members: Members
  readonly #questions: Questions
  readonly #acks: ClientAcks
  readonly #recovery: Recovery | undefined
  readonly #closing = new AbortController()

  constructor(namespace: HostNamespace, relay: Relay, options: ResolvedAdapterOptions) {
    super(namespace)
    const { prefix, history, clock, log, away, requestTimeout } = options
    const channel = `${prefix}${namespace.name}`
    this.#host = namespace
    this.#options = options
    this.#channel = new NamespaceChannel(relay, channel, this.uid, options, {
      told: (told, standing) => this.#happen(told, standing),
      past: (told, standing) => this.#recovery?.record(told, standing),
      answered: (answer) => this.#questions.hear({ ...answer, nsp: namespace.name } as ClusterResponse),
      failed: (requestId, error) => this.#questions.fail(requestId, error),
      lost: (gap) => this.#lose(gap),
      trouble: (error, message) => this.#warn(error, message),
    })
    this.#questions = new Questions(clock)
    this.#members = new Members(relay, channel, this.uid, (uid) => this.#questions.left(uid))
    this.#acks = new ClientAcks(namespace, clock)
    if (away !== undefined) {
      const { signal } = this.#closing
      const { length } = history
      const limits = { length, away, timeout: requestTimeout }
      this.#recovery = new Recovery(relay, { channel, ...limits, clock, signal, log })
    }
  }

  override async init(): Promise<void> {
    try {
      await this.#channel.open(this.#recovery ? 'start' : 'now')
      // Whoever asks from now on gets an answer.
      await this.#members.join()
    } catch (error) {
      this.#warn(error, 'this Socket.IO server is not joined to the others')
    }
  }

  /** What the others have to know of it, they are told before it settles; in vain, if the relay is away. */
  override async close(): Promise<void> {
    this.#questions.close()
    this.#acks.close()
    this.#channel.close()
    const context = { clock: this.#options.clock, signal: this.#closing.signal }
    const told = () => Promise.all([this.#recovery?.stored(), this.#members.leave()])
    await inTime(LONGEST_CLOSE, context, told).catch(() => {})
    this.#closing.abort(new Error('the adapter was closed'))
    this.#recovery?.close()
  }

  override async serverCount(): Promise<number> {
    return (await this.#members.all()).size
  }

  override addAll(id: SocketId, rooms: Set<Room>): void {
    void super.addAll(id, rooms)
    const socket = this.#host.sockets.get(id)
    if (socket) this.#recovery?.connected(id, socket)
  }

  override delAll(id: SocketId): void {
    this.#recovery?.disconnected(id)
    super.delAll(id)
  }

  override broadcast(packet: HostPacket, options: BroadcastOptions): Promise<void> {
    if (!options.flags?.local)
      return this.#channel.tell(MessageType.BROADCAST, { packet, opts: toldOptions(options) })
    this.#broadcastHere(packet, withDefaults(options), undefined)
    return Promise.resolve()
  }

  override broadcastWithAck(
    packet: HostPacket,
    options: BroadcastOptions,
    count: (clients: number) => void,
    ack: (answer: unknown) => void,
  ): void {
    if (options.flags?.local) {
      super.broadcastWithAck(packet, options, count, ack)
      // Socket.IO waits for every server all the same.
      void this.#members.others().then((others) => others.forEach(() => count(0)))
      return
    }
    const timeout = options.flags?.timeout ?? this.#options.requestTimeout
    const requestId = this.#questions.count(timeout, this.#members.all(), new Headcount(count, ack))
    void this.#ask(requestId, MessageType.BROADCAST, { packet, opts: toldOptions(options), requestId })
  }

  override addSockets(options: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (options.flags?.local) return super.addSockets(options, rooms)
    return this.#channel.tell(MessageType.SOCKETS_JOIN, { opts: toldOptions(options), rooms })
  }

  override delSockets(options: BroadcastOptions, rooms: Room[]): Promise<void> {
    if (options.flags?.local) return super.delSockets(options, rooms)
    return this.#channel.tell(MessageType.SOCKETS_LEAVE, { opts: toldOptions(options), rooms })
  }

  override disconnectSockets(options: BroadcastOptions, close: boolean): Promise<void> {
    if (options.flags?.local) return super.disconnectSockets(options, close)
    return this.#channel.tell(MessageType.DISCONNECT_SOCKETS, { opts: toldOptions(options), close })
  }

  override fetchSockets(options: BroadcastOptions): Promise<unknown[]> {
    if (options.flags?.local) return super.fetchSockets(options)
    const timeout = options.flags?.timeout ?? this.#options.requestTimeout
    return new Promise((resolve, reject) => {
      const answered: Answered = (error, sockets) => (error ? reject(error) : resolve(sockets))
      const requestId = this.#questions.gather(timeout, this.#members.all(), answered)
      void this.#ask(requestId, MessageType.FETCH_SOCKETS, { opts: toldOptions(options), requestId })
    })
  }

  override serverSideEmit(packet: unknown[]): Promise<void> {
    const ack = packet.at(-1)
    if (typeof ack !== 'function') return this.#channel.tell(MessageType.SERVER_SIDE_EMIT, { packet })
    const nodes = this.#members.others()
    const requestId = this.#questions.gather(this.#options.requestTimeout, nodes, ack as Answered)
    return this.#ask(requestId, MessageType.SERVER_SIDE_EMIT, { packet: packet.slice(0, -1), requestId })
  }

  override persistSession(session: StoredSession): void {
    this.#recovery?.persist(session)
  }

  override restoreSession(pid: string, token: string): Promise<Session> {
    if (!this.#recovery) return Promise.reject(new Error('recovery is not asked for'))
    return this.#recovery.restore(pid, token, this.#channel)
  }

  protected override async doPublish(message: ClusterMessage): Promise<string> {
    await this.#channel.tell(message.type, 'data' in message ? message.data : {})
    return ''
  }

  protected override async doPublishResponse(uid: string, response: ClusterResponse): Promise<void> {
    if (uid === SELF) return this.#questions.hear(response)
    await this.#channel.answer(uid, response)
  }

  #ask(requestId: string, type: MessageType, data: unknown): Promise<void> {
    try {
      return this.#channel.tell(type, data, requestId)
    } catch (error) {
      this.#questions.drop(requestId)
      throw error
    }
  }

  #happen(told: Told, standing: Standing | undefined): void {
    const own = told.uid === this.uid
    const { requestId } = told.data as { requestId?: string }
    if (own && requestId !== undefined) this.#questions.heard(requestId)
    if (told.type === MessageType.INITIAL_HEARTBEAT) {
      if (!own) this.#questions.joined(told.uid)
    } else if (told.type === MessageType.BROADCAST) {
      const { packet, opts } = told.data as ToldBroadcast
      if (requestId === undefined) return this.#broadcastHere(packet, audienceOf(opts), standing)
      this.#handOver(told)
      this.#acks.expire(packet.id, opts.flags.timeout ?? this.#options.requestTimeout)
    } else if (own && told.type === MessageType.FETCH_SOCKETS) {
      void this.#fetchHere(told.data as ToldQuestion)
    } else if (!own || told.type !== MessageType.SERVER_SIDE_EMIT) {
      this.#handOver(told)
    }
  }

  /** The base class does it, as for another node. */
  #handOver({ type, uid, data }: Told): void {
    super.onMessage({
      type,
      data,
      uid: uid === this.uid ? SELF : uid,
      nsp: this.#host.name,
    } as ClusterMessage)
  }

  #broadcastHere(packet: HostPacket, options: Audience, standing: Standing | undefined): void {
    this.#recovery?.stamp(packet, options, standing)
    // The base class publishes nothing that is local, and does it at once.
    super
      .broadcast(packet, { ...options, flags: { ...options.flags, local: true } })
      .catch((error: unknown) => {
        this.#warn(error, 'a broadcast has failed')
      })
  }

  async #fetchHere({ opts, requestId }: ToldQuestion): Promise<void> {
    const sockets = await super.fetchSockets({ ...audienceOf(opts), flags: { local: true } })
    const type = MessageType.FETCH_SOCKETS_RESPONSE
    this.#questions.hear({ type, uid: this.uid, nsp: this.#host.name, data: { requestId, sockets } })
  }

  #lose(gap: GapEvent): void {
    const { log, onGap } = this.#options
    log?.warn({ ...gap, namespace: this.#host.name }, 'this Socket.IO server has missed broadcasts')
    this.#recovery?.lose()
    this.emit('gap', gap)
    if (onGap === 'reconnect') for (const { conn } of this.#host.sockets.values()) conn.close()
  }

  #warn(error: unknown, message: string): void {
    this.#options.log?.warn({ err: error, namespace: this.#host.name }, message)
  }
}
