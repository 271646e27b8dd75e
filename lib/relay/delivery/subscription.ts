import { type Clock } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Entry } from '../session/entry.ts'
import { messageOf, type Message } from '../session/message.ts'
import { type Mark, type Origin, type Position, trailOf } from '../session/position.ts'
import { type Gap, type GapReason, type Slice } from '../session/session.ts'
import { type Feed, type Follower, PAGE, positionOf } from './feed.ts'
import { Seen } from './seen.ts'

/** What is lost: it is told in place of it, before what comes after it. */
export interface GapEvent extends Gap {
  readonly channel: string
  readonly reason: GapReason
}

export interface SubscribeOptions {
  /** @default 'now' */
  from?: Position | 'now' | 'start'
  onGap?: (gap: GapEvent) => void
}

export interface SubscriptionContext {
  readonly clock: Clock
  /** Milliseconds for which publishers may repeat what a master has lost. */
  readonly grace: number
  /** A listener has thrown. */
  failed(error: unknown, channel: string): void
  told(gap: GapEvent): void
  closed(subscription: Subscription): void
}

/** Milliseconds until a question that was refused is asked again. */
const PAUSE = 200

/** One subscriber of a channel. It follows the feed, or reads by itself until it has caught up with it. */
export class Subscription implements Follower {
  readonly channel: string
  /** Settles when everything that is published from then on is delivered; rejects when it is closed before. */
  readonly ready: Promise<void>
  readonly #feed: Feed
  readonly #listener: (message: Message) => void
  readonly #onGap: ((gap: GapEvent) => void) | undefined
  readonly #context: SubscriptionContext
  #settle!: { resolve: () => void; reject: (error: unknown) => void }
  #state: 'behind' | 'live' | 'paused' | 'closed' = 'behind'
  /** Where it goes on reading. Not used while it follows. */
  #origin: Origin
  /** What it got that the feed does not know of. */
  #seen: Seen | undefined
  #joined = 0
  #reading = false
  #again = false

  constructor(
    feed: Feed,
    listener: (message: Message) => void,
    { from = 'now', onGap }: SubscribeOptions,
    context: SubscriptionContext,
  ) {
    this.channel = feed.channel
    this.#feed = feed
    this.#listener = listener
    this.#onGap = onGap
    this.#context = context
    this.#origin =
      typeof from === 'string' ? from : [{ epoch: from.epoch, offset: from.offset }, ...(from.trail ?? [])]
    if (typeof from !== 'string' && from.seen) this.#seen = Seen.from(from.seen, context.clock.now())
    this.ready = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    // Nobody has to wait for it.
    this.ready.catch(() => {})
    feed.ring.hold()
    // A listener may use what subscribe() returns.
    queueMicrotask(() => this.advance())
  }

  /** After the last message whose listener was called; `undefined` until the beginning is known. */
  position(): Position | undefined {
    const { grace } = this.#context
    if (this.#state !== 'live') {
      return typeof this.#origin === 'string' ? undefined : positionOf(this.#origin, this.#seen, grace)
    }
    if (!this.#seen) return this.#feed.position()
    return positionOf(this.#feed.trail(), this.#feed.seen.union(this.#seen), grace)
  }

  /** Delivers nothing until {@link resume}; keeps its position, and nothing else. */
  pause(): void {
    if (this.#state === 'closed' || this.#state === 'paused') return
    if (this.#state === 'live') this.#fallBehind()
    this.#state = 'paused'
  }

  /** Goes on where it stood: with everything since, or with the newest. @param skip leaves out what came meanwhile, as a gap */
  resume({ skip = false } = {}): void {
    if (this.#state !== 'paused') return
    this.#state = 'behind'
    if (skip && this.#feed.established && typeof this.#origin !== 'string') this.#skip(this.#origin[0]!)
    this.advance()
  }

  /** Nothing is delivered after it. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'live') this.#feed.followers.delete(this)
    else this.#feed.ring.release()
    this.#state = 'closed'
    this.#settle.reject(new Error('the subscription was closed'))
    this.#context.closed(this)
  }

  deliver(entry: Entry, message: Message | undefined): void {
    if (this.#feed.serial === this.#joined || this.#seen?.has(entry.pid, entry.seq)) return
    if (message) this.#hand(message)
  }

  lose(gap: Gap): void {
    const event = { channel: this.channel, ...gap }
    this.#context.told(event)
    this.#guard(() => this.#onGap?.(event))
  }

  /** There may be more to read: the feed has begun, or goes on. */
  advance(): void {
    if (this.#state !== 'behind' || !this.#feed.established) return
    this.#again = true
    if (!this.#reading) void this.#readAll()
  }

  async #readAll(): Promise<void> {
    this.#reading = true
    while (this.#again) {
      this.#again = false
      await this.#readOn()
    }
    this.#reading = false
  }

  /** Until it has caught up, or cannot go on before the feed does. */
  async #readOn(): Promise<void> {
    while (this.#state === 'behind') {
      if (this.#hasCaughtUp()) return this.#follow()
      const near = this.#nearby()
      if (near) {
        this.#take(near)
        continue
      }
      const { session } = this.#feed
      if (!session || session.signal.aborted) return
      const slice = await session.read(this.channel, this.#origin, PAGE).catch(() => undefined)
      if (slice) this.#apply(slice)
      else await sleep(PAUSE, this.#context.clock, session.signal).catch(() => {})
      // There the log ends, in an epoch that the feed does not know of yet: it will.
      if (slice?.entries.length === 0 && slice.epoch !== this.#feed.epoch) return
    }
  }

  #hasCaughtUp(): boolean {
    if (this.#feed.fleeting || this.#origin === 'now') return true
    if (this.#origin === 'start') return false
    const [{ epoch, offset }] = this.#origin as [Mark]
    // It may have read what the feed is still to be told of; that it then knows from `seen`.
    return epoch === this.#feed.epoch && offset >= this.#feed.offset
  }

  /** What it lacks, if the feed still has it at hand. */
  #nearby(): readonly Entry[] | undefined {
    if (typeof this.#origin === 'string') return undefined
    const [{ epoch, offset }] = this.#origin as [Mark]
    return epoch === this.#feed.epoch ? this.#feed.ring.after(offset) : undefined
  }

  #apply({ epoch, chain, after, gap, entries }: Slice): void {
    this.#origin = trailOf(epoch, after, chain)
    if (gap) this.lose(gap)
    this.#take(entries)
  }

  #take(entries: readonly Entry[]): void {
    const { clock } = this.#context
    this.#seen ??= new Seen()
    for (const entry of entries) {
      // Paused or closed by what it was given.
      if (this.#state !== 'behind') return
      const [{ epoch }, ...older] = this.#origin as [Mark, ...Mark[]]
      this.#origin = [{ epoch, offset: entry.offset }, ...older]
      if (!this.#seen.take(entry.pid, entry.seq, clock.now())) continue
      const message = messageOf(this.channel, epoch, entry, () => clock.wallTime())
      if (message) this.#hand(message)
    }
  }

  #follow(): void {
    this.#seen = this.#seen?.beyond(this.#feed.seen)
    this.#state = 'live'
    this.#joined = this.#feed.serial
    this.#feed.followers.add(this)
    this.#feed.ring.release()
    this.#settle.resolve()
  }

  #fallBehind(): void {
    this.#feed.followers.delete(this)
    this.#feed.ring.hold()
    this.#origin = this.#feed.trail()
    this.#seen = this.#feed.seen.union(this.#seen)
  }

  /** To the newest message. */
  #skip({ offset }: Mark): void {
    const [newest, ...older] = this.#feed.trail() as [Mark, ...Mark[]]
    const last = newest.offset - 1
    if (last <= offset) return
    this.#origin = [{ ...newest, offset: last }, ...older]
    this.lose({ from: offset + 1, to: last, reason: 'overrun' })
  }

  #hand(message: Message): void {
    this.#guard(() => this.#listener(message))
  }

  /** What a listener throws hurts nobody else. */
  #guard(call: () => unknown): void {
    try {
      const answer = call()
      if (answer instanceof Promise)
        answer.catch((error: unknown) => this.#context.failed(error, this.channel))
    } catch (error) {
      this.#context.failed(error, this.channel)
    }
  }
}
