import { type WslbError } from '../../core/errors.ts'
import { type Draft, type Placed } from '../session/entry.ts'
import { type Lane } from './lane.ts'

/** What is known of a message when `publish()` resolves. */
export interface Outcome extends Placed {
  /** The publisher's number of the message. */
  readonly seq: number
  readonly epoch: string
  readonly replicas: number
}

export interface Publish {
  readonly body: Buffer
  /** A key of the application. */
  readonly id: string | undefined
  readonly ack: 'replicated' | 'master' | 'none'
}

/**
 * A message on its way: it waits for room and then in its lane, is placed on a master, perhaps confirmed by replicas, and is
 * kept for repetition. One object all along, since there is one for each message.
 */
export class Pending implements Draft, Outcome {
  readonly body: Buffer
  readonly id: string | undefined
  readonly ack: Publish['ack']
  /** Bytes that it takes up. */
  readonly size: number
  /** Monotonic milliseconds. */
  readonly publishedAt: number
  readonly reject: (error: WslbError) => void
  readonly #resolve: (outcome: Outcome) => void
  /** From when it has room. */
  lane: Lane | undefined
  seq = 0
  offset = 0
  epoch = ''
  duplicate = false
  receivers = 0
  replicas = 0
  settled = false
  /** Of the last time that a master took it. */
  keptAt = 0

  constructor(
    { body, id, ack }: Publish,
    size: number,
    publishedAt: number,
    resolve: (outcome: Outcome) => void,
    reject: (error: WslbError) => void,
  ) {
    this.body = body
    this.id = id
    this.ack = ack
    this.size = size
    this.publishedAt = publishedAt
    this.#resolve = resolve
    this.reject = reject
  }

  /** The answer of a master. */
  place({ offset, duplicate, receivers }: Placed, epoch: string): void {
    if (this.settled) return
    this.offset = offset
    this.duplicate = duplicate
    this.receivers = receivers
    this.epoch = epoch
  }

  /** What the caller is told does not change any more. */
  answer(): void {
    this.#resolve(this)
  }
}
