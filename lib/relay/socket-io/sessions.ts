import { inTime } from '../../core/in-time.ts'
import { type Clock } from '../../core/clock.ts'
import { type Channel, type Relay } from '../relay-types.ts'
import { type Message } from '../session/message.ts'
import { decodeFields, encodeFields } from './message-codec.ts'

/** What of a client is kept while it is away. */
export interface StoredSession {
  readonly sid: string
  readonly pid: string
  readonly rooms: string[]
  readonly data: unknown
}

export interface SessionsContext {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** What the names of channels begin with. */
  readonly prefix: string
  /** Milliseconds for which a client may be away. */
  readonly duration: number
  /** Milliseconds that are waited for the relay. */
  readonly timeout: number
}

/** As Socket.IO makes them: what a client says it is, may be anything. */
const PID = /^[\w-]{20}$/
const TAKEN = 'taken'

/** Sessions of clients that are away, each in a channel of its own: nobody reads it but the node that the client comes back to. */
export class Sessions {
  readonly #relay: Relay
  readonly #context: SessionsContext

  constructor(relay: Relay, context: SessionsContext) {
    this.#relay = relay
    this.#context = context
  }

  /** @throws TypeError for data that cannot be encoded */
  async put(session: StoredSession): Promise<void> {
    await this.#channel(session.pid).publish(encodeFields([session]))
  }

  /** Whoever comes first gets it: a session is continued once. @throws Error when the relay does not answer in time */
  async take(pid: string): Promise<StoredSession | undefined> {
    if (!PID.test(pid)) return undefined
    const { timeout } = this.#context
    return inTime(timeout, this.#context, async (signal) => {
      const channel = this.#channel(pid)
      const newest = await this.#newest(channel, signal)
      if (!newest || newest.data === TAKEN) return undefined
      const { duplicate } = await channel.publish(TAKEN, { id: `${TAKEN} ${newest.id}` })
      return duplicate ? undefined : (decodeFields(newest.data)[0] as StoredSession)
    })
  }

  async #newest(channel: Channel, signal: AbortSignal): Promise<Message | undefined> {
    let newest: Message | undefined
    const subscription = channel.subscribe((message) => (newest = message), { from: 'start' })
    signal.addEventListener('abort', () => subscription.close(), { once: true })
    try {
      await subscription.ready
      return newest
    } finally {
      subscription.close()
    }
  }

  #channel(pid: string): Channel {
    const { prefix, duration } = this.#context
    return this.#relay.channel(`${prefix}~${pid}`, { history: { length: 2, ttlMs: duration } })
  }
}
