import {
  createRelay,
  type Message,
  type Position,
  type Relay,
  type RelayOptions,
} from '../../../lib/relay/index.ts'
import { until } from '../../support/until.ts'
import { monotonicNow, type Witness } from './record.ts'
import { type Says } from './scripted-sentinel.ts'
import { type Ways, watched } from './watched.ts'

/** The channel of all runs. */
export const CHANNEL = 'room'
/** What is published last, when all else has been confirmed. */
export const END = 'end'

export interface NodeOptions {
  readonly name: string
  readonly relay: Omit<RelayOptions, 'memory'>
  /** The port of the node's own way to a member, see `Network`. @default they are what they are called */
  readonly ways?: Ways
  /** Sentinels at the host `sentinel` say this. */
  readonly says?: Says
  /** With each delivery is written down where the subscriber then stands. @default false */
  readonly savesPosition?: boolean
}

const PADDING = 'x'.repeat(128)

/** A node of an application that publishes and subscribes, and says what it meets. */
export class Node {
  readonly name: string
  readonly relay: Relay
  readonly #record: Witness
  readonly #limit: number
  readonly #savesPosition: boolean
  #publishing: NodeJS.Timeout | undefined
  #published = 0
  #outbox = 0

  constructor(
    { name, relay, ways = {}, says, savesPosition = false }: NodeOptions,
    record: Witness,
    memory?: RelayOptions['memory'],
  ) {
    this.name = name
    this.#record = record
    this.#savesPosition = savesPosition
    this.#limit = relay.publish?.outboxBytes ?? Infinity
    const { redis } = relay
    this.relay = createRelay({
      nodeId: name,
      ...relay,
      ...(redis ? { redis: { ...redis, connect: watched(name, ways, record, says) } } : { memory }),
    })
  }

  /** Everything that is published from then on has to reach it. */
  async listen(from: Position | 'now' = 'now'): Promise<void> {
    const subscriber = this.name
    const got = ({ data, epoch, offset }: Message) => {
      if (data === END) this.#record({ kind: 'end', subscriber, channel: CHANNEL })
      else {
        const position = this.#savesPosition ? subscription.position() : undefined
        this.#record({
          kind: 'deliver',
          subscriber,
          channel: CHANNEL,
          id: idOf(data),
          epoch,
          offset,
          position,
        })
      }
    }
    const subscription = this.relay.subscribe(CHANNEL, got, {
      from,
      onGap: ({ from, to, reason }) =>
        this.#record({ kind: 'gap', subscriber, channel: CHANNEL, from, to, reason }),
    })
    await subscription.ready
    this.#record({ kind: 'listen', subscriber, channel: CHANNEL })
  }

  /** @param rate messages a second */
  publish(rate: number): void {
    const begun = monotonicNow() - (this.#published * 1_000) / rate
    this.#publishing = setInterval(() => {
      this.#outbox = Math.max(this.#outbox, this.relay.status().outbox.bytes)
      while (this.#published < ((monotonicNow() - begun) * rate) / 1_000) this.#publishOne()
    }, 5)
  }

  stopPublishing(): void {
    clearInterval(this.#publishing)
  }

  /** How many of its messages are not answered for. */
  get unsettled(): number {
    return this.relay.status().outbox.messages
  }

  /**
   * Publishes the last message, and settles with all that stands in the log when everybody has got it. Who has not after
   * `patience` milliseconds does not get anything any more: that is the checker's to judge.
   */
  async readAll(patience: number, everybody: () => boolean): Promise<{ id: string; offset: number }[]> {
    const entries: { id: string; offset: number }[] = []
    let ended = false
    this.relay.subscribe(
      CHANNEL,
      ({ data, offset }) => {
        if (data === END) ended = true
        else entries.push({ id: idOf(data), offset })
      },
      { from: 'start' },
    )
    await this.relay.publish(CHANNEL, END, { ack: 'master' })
    await until(() => ended && everybody(), 'everybody to get the last message', patience).catch(() => {})
    return entries
  }

  async close(): Promise<void> {
    this.stopPublishing()
    if (this.relay.status().state === 'closed') return
    await this.relay.close()
    this.#record({
      kind: 'usage',
      what: `bytes in the outbox of ${this.name}`,
      used: this.#outbox,
      limit: this.#limit,
    })
  }

  #publishOne(): void {
    const n = ++this.#published
    const id = `${this.name}:${n}`
    this.#record({ kind: 'intent', publisher: this.name, channel: CHANNEL, id, n })
    this.relay.publish(CHANNEL, `${id} ${PADDING}`).then(
      ({ epoch, offset, replicas }) => this.#record({ kind: 'ack', id, epoch, offset, replicas }),
      (error: { code?: string }) => this.#record({ kind: 'refused', id, code: String(error.code) }),
    )
  }
}

export function idOf(data: Message['data']): string {
  return (data as string).split(' ', 1)[0]!
}
