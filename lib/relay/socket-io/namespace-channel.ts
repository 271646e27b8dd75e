import { type ClusterResponse, MessageType } from 'socket.io-adapter'
import { type GapEvent } from '../delivery/subscription.ts'
import { type Channel, type Relay, type Subscription } from '../relay-types.ts'
import { type Payload } from '../session/envelope.ts'
import { type Message } from '../session/message.ts'
import { type ResolvedAdapterOptions } from './options.ts'
import { type Standing } from './recovery.ts'
import { type Told, decodeTold, encodeTold } from './told.ts'
import { Tokens } from './tokens.ts'

export interface NamespaceChannelEvents {
  /** Somebody, perhaps this node itself, has told it to all. @param standing `undefined` for what is in no log */
  told(told: Told, standing: Standing | undefined): void
  /** What was told before this node was there. */
  past(told: Told, standing: Standing): void
  answered(answer: Told): void
  /** It could not be told, and nobody will answer. */
  failed(requestId: string, error: unknown): void
  lost(gap: GapEvent): void
  /** What is to be logged. */
  trouble(error: unknown, message: string): void
}

/** Answers are fetched at once, or by a node that was cut off for a moment. */
const INBOX = { length: 1_000, ttlMs: 60_000 }

/** How the adapters of one namespace talk: all to all in one log, and answers to the one who has asked. */
export class NamespaceChannel {
  readonly name: string
  readonly #relay: Relay
  readonly #uid: string
  readonly #events: NamespaceChannelEvents
  readonly #channel: Channel
  readonly #tokens: Tokens
  #feed: Subscription | undefined
  #inbox: Subscription | undefined
  #sent = 0
  #returned = 0

  constructor(
    relay: Relay,
    name: string,
    uid: string,
    { history, clock }: ResolvedAdapterOptions,
    events: NamespaceChannelEvents,
  ) {
    this.name = name
    this.#relay = relay
    this.#uid = uid
    this.#events = events
    this.#channel = relay.channel(name, { history })
    this.#tokens = new Tokens(clock)
  }

  /** Settles when what the others tell reaches this node. @param from where it begins. @throws WslbError `WSLB_CLOSED` */
  async open(from: 'now' | 'start'): Promise<void> {
    const onGap = (gap: GapEvent) => this.#events.lost(gap)
    this.#feed = this.#channel.subscribe((message) => this.#receive(message), { from, onGap })
    this.#inbox = this.#inboxOf(this.#uid).subscribe(({ data }) => {
      const answer = this.#decode(data)
      if (answer) this.#events.answered(answer)
    })
    await this.tell(MessageType.INITIAL_HEARTBEAT, {})
  }

  /** Settles when everything that is kept of the past has been told. */
  get ready(): Promise<void> {
    return this.#feed?.ready ?? Promise.reject(new Error('the namespace is not joined to others'))
  }

  close(): void {
    this.#feed?.close()
    this.#inbox?.close()
  }

  /** Settles when it stands in the log. @throws TypeError at once for what cannot be encoded */
  tell(type: MessageType, data: unknown, requestId?: string): Promise<void> {
    const told = { type, uid: this.#uid, number: this.#sent + 1, data }
    const body = encodeTold(told)
    this.#sent++
    return this.#channel.publish(body, { ack: 'master' }).then(
      () => {},
      (error: unknown) => {
        // It may be only the relay's answer that was lost.
        if (told.number > this.#returned) this.#refused(error, decodeTold(body))
        if (requestId !== undefined) this.#events.failed(requestId, error)
      },
    )
  }

  async answer(uid: string, { type, data }: ClusterResponse): Promise<void> {
    try {
      const body = encodeTold({ type, uid: this.#uid, number: 0, data })
      await this.#inboxOf(uid).publish(body, { ack: 'master' })
    } catch (error) {
      this.#events.trouble(error, 'another Socket.IO server cannot be answered')
    }
  }

  #inboxOf(uid: string): Channel {
    return this.#relay.channel(`${this.name}#${uid}`, { history: INBOX })
  }

  #receive(message: Message): void {
    const told = this.#decode(message.data)
    if (!told) return
    const token = this.#tokens.next(message, () => this.#feed?.position())
    const standing = { token, size: (message.data as string | Buffer).length }
    if (told.uid === this.#uid) this.#returned = told.number
    // What comes before the first word of this node is over.
    if (this.#returned > 0) this.#events.told(told, standing)
    else this.#events.past(told, standing)
  }

  /** What cannot be published happens on this node, as without other servers. */
  #refused(error: unknown, told: Told): void {
    this.#events.trouble(error, 'what was to be told to all Socket.IO servers stays on this one')
    this.#events.told(told, undefined)
  }

  #decode(payload: Payload): Told | undefined {
    try {
      return decodeTold(payload)
    } catch (error) {
      this.#events.trouble(error, 'not a message of a Socket.IO server')
      return undefined
    }
  }
}
