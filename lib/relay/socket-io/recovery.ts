import { MessageType, type Room, type Session, type SocketId } from 'socket.io-adapter'
import { PacketType } from 'socket.io-parser'
import { type Clock } from '../../core/clock.ts'
import { inTime } from '../../core/in-time.ts'
import { type Logger } from '../../core/logger.ts'
import { type Relay } from '../relay-types.ts'
import { Journal } from './journal.ts'
import { type HostPacket, type HostSocket } from './namespace.ts'
import { Sessions, type StoredSession } from './sessions.ts'
import { type Audience, type Told, type ToldBroadcast, audienceOf } from './told.ts'

export interface RecoveryOptions {
  /** The name of the namespace's channel. */
  readonly channel: string
  /** Packets that are kept. */
  readonly length: number
  /** Milliseconds for which a client may be away. */
  readonly away: number
  /** Milliseconds that are waited for the relay. */
  readonly timeout: number
  readonly clock: Clock
  /** Aborted when the adapter is closed. */
  readonly signal: AbortSignal
  readonly log: Logger | undefined
}

/** Where a packet stands in the log. */
export interface Standing {
  /** See `tokens.ts`. */
  readonly token: string
  /** Bytes, roughly. */
  readonly size: number
}

/** Bytes of packets that a namespace keeps. */
const JOURNAL_BYTES = 64 << 20

/** Connection state recovery: who was away for a moment goes on where it was, on whatever node it comes back to. */
export class Recovery {
  readonly #options: RecoveryOptions
  readonly #sessions: Sessions
  readonly #journal: Journal
  readonly #storing = new Set<Promise<void>>()
  /** Who has come back and is not connected yet: up to where it has got its packets. */
  readonly #returning = new Map<SocketId, { readonly place: number; readonly rooms: readonly Room[] }>()

  constructor(relay: Relay, options: RecoveryOptions) {
    const { channel, length, away, timeout, clock, signal } = options
    this.#options = options
    this.#sessions = new Sessions(relay, { clock, signal, timeout, prefix: channel, duration: away })
    this.#journal = new Journal({ length, bytes: JOURNAL_BYTES })
  }

  /** Puts the client's place behind the data of an event: its `socket.io-client` gives it back to us. */
  stamp({ type, id, data }: HostPacket, audience: Audience, standing: Standing | undefined): void {
    if (type !== Number(PacketType.EVENT) || id !== undefined) return
    // What is not kept leaves the client where it was.
    const kept = audience.flags.volatile ? undefined : standing
    data.push(kept?.token ?? this.#journal.last)
    if (kept) this.#journal.add({ ...kept, ...audience, data })
  }

  /** Keeps it, if it is an event, as if it had been broadcast here. */
  record({ type, data }: Told, standing: Standing): void {
    const { packet, opts, requestId } = data as ToldBroadcast
    if (type === MessageType.BROADCAST && requestId === undefined)
      this.stamp(packet, audienceOf(opts), standing)
  }

  persist(session: StoredSession): void {
    const { log } = this.#options
    const storing = this.#sessions
      .put(session)
      .catch((error: unknown) => log?.warn({ err: error, sid: session.sid }, 'a session could not be stored'))
      .finally(() => this.#storing.delete(storing))
    this.#storing.add(storing)
  }

  /** @throws Error when the client cannot go on where it was */
  async restore(pid: string, token: string, feed: { readonly ready: Promise<void> }): Promise<Session> {
    await inTime(this.#options.timeout, this.#options, () => feed.ready)
    // It has cost nothing so far.
    if (this.#journal.behind(token) === undefined) throw new Error('nobody knows what the client has missed')
    const session = await this.#sessions.take(pid)
    const missedPackets = this.#journal.since(this.#journal.behind(token) ?? -1, session?.rooms ?? [])
    if (!session || !missedPackets) throw new Error('there is no such session, or not any more')
    this.#returning.set(session.sid, { place: this.#journal.end, rooms: session.rooms })
    return { ...session, missedPackets }
  }

  /** What came after {@link restore}, while middleware ran. */
  connected(id: SocketId, socket: HostSocket): void {
    const returning = this.#returning.get(id)
    if (!returning) return
    this.#returning.delete(id)
    const missed = this.#journal.since(returning.place, returning.rooms)
    if (!missed) return socket.conn.close()
    for (const data of missed) socket.packet({ type: PacketType.EVENT, data })
  }

  disconnected(id: SocketId): void {
    this.#returning.delete(id)
  }

  /** This node has missed something for good. */
  lose(): void {
    this.#journal.clear()
  }

  /** Settles when the sessions of those who were disconnected are stored. */
  async stored(): Promise<void> {
    await Promise.all(this.#storing)
  }

  close(): void {
    this.#returning.clear()
    this.#journal.clear()
  }
}
