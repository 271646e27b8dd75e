import { type Clock } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Entry } from '../session/entry.ts'
import { guarded } from '../session/guarded.ts'
import { messageOf, type Message } from '../session/message.ts'
import { type Mark, type Origin, originOf, type Position, trailOf } from '../session/position.ts'
import { type Gap, type GapReason, type Slice } from '../session/session.ts'
import { endOf, type Feed, type Follower, PAGE, positionOf, type Standing } from './feed.ts'
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
  /** Up to where it was told what the feed was told. */
  #served = 0
  /** When it began to follow. */
  #followed = 0
  /** Nothing was kept of what came meanwhile. */
  #missed: boolean
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
    this.#origin = originOf(from)
    if (typeof from !== 'string' && from.seen) this.#seen = Seen.from(from.seen, context.clock.now())
    this.#missed = feed.fleeting && typeof from !== 'string'
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
    if (!this.#seen && this.#isServed()) return this.#feed.position()
    const { trail, seen } = this.#standing()
    return positionOf(trail, seen, grace)
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
    if (this.#isServed()) return
    this.#served = this.#feed.serial
    if (this.#seen?.has(entry.pid, entry.seq)) return
    if (this.#seen) this.#forget()
    if (message) this.#hand(message)
  }

  lose(gap: Gap): void {
    this.#served = this.#feed.serial
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
    while (this.#isBehind()) {
      if (this.#hasCaughtUp()) return this.#follow()
      const near = this.#nearby()
      if (near) {
        this.#take(near)
        continue
      }
      const { session } = this.#feed
      if (!session || session.signal.aborted) return
      const asked = this.#origin
      const slice = await session.read(this.channel, asked, PAGE).catch(() => undefined)
      // Closed, paused or moved meanwhile: what was read is not what is wanted.
      if (!this.#isBehind() || this.#origin !== asked) continue
      if (slice) this.#apply(slice)
      else await sleep(PAUSE, this.#context.clock, session.signal).catch(() => {})
      // There the log ends, in an epoch that the feed does not know of yet.
      if (slice?.entries.length === 0 && slice.epoch !== this.#feed.epoch) return void this.#feed.resync()
    }
  }

  #isBehind(): boolean {
    return this.#state === 'behind'
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
    this.#origin = trailOf(epoch, endOf(after, gap), chain)
    if (gap) this.lose(gap)
    this.#take(entries)
  }

  #take(entries: readonly Entry[]): void {
    const { clock } = this.#context
    this.#seen ??= new Seen()
    for (const entry of entries) {
      // Paused or closed by what it was given.
      if (!this.#isBehind()) return
      const [{ epoch }, ...older] = this.#origin as [Mark, ...Mark[]]
      this.#origin = [{ epoch, offset: entry.offset }, ...older]
      if (!this.#seen.take(entry.pid, entry.seq, clock.now())) continue
      const opened = messageOf(this.channel, epoch, entry, () => clock.wallTime())
      if (opened && (!opened.keyed || this.#seen.takeId(opened.message.id))) this.#hand(opened.message)
    }
  }

  #follow(): void {
    this.#seen = this.#seen?.beyond(this.#feed.seen)
    this.#state = 'live'
    this.#served = this.#feed.serial
    this.#followed = this.#context.clock.now()
    this.#feed.followers.add(this)
    this.#feed.ring.release()
    if (this.#missed) this.lose({ from: 0, to: 0, reason: 'no-history' })
    this.#missed = false
    this.#settle.resolve()
  }

  #fallBehind(): void {
    const { trail, seen } = this.#standing()
    this.#missed = this.#feed.fleeting
    this.#feed.followers.delete(this)
    this.#feed.ring.hold()
    this.#origin = trail
    this.#seen = seen
  }

  /** Whether it was told what the others are being told. */
  #isServed(): boolean {
    return this.#served === this.#feed.serial
  }

  /** Where it stands while it follows. */
  #standing(): Standing {
    const { trail, seen } = (this.#isServed() ? undefined : this.#feed.before) ?? {
      trail: this.#feed.trail(),
      seen: this.#feed.seen,
    }
    return { trail, seen: seen.union(this.#seen) }
  }

  /** What it got before it followed is not repeated by anybody any more. */
  #forget(): void {
    const { clock, grace } = this.#context
    if (clock.now() - this.#followed > 2 * grace) this.#seen = undefined
  }

  /** To the newest message. */
  #skip({ epoch, offset }: Mark): void {
    const [newest, ...older] = this.#feed.trail() as [Mark, ...Mark[]]
    // What it has of an epoch that is over counts as far as that epoch has survived.
    const common = [newest, ...older].find((mark) => mark.epoch === epoch)
    const has = Math.min(offset, common?.offset ?? 0)
    const last = newest.offset - 1
    if (last <= has) return
    this.#origin = [{ ...newest, offset: last }, ...older]
    this.lose({ from: has + 1, to: last, reason: 'overrun' })
  }

  #hand(message: Message): void {
    this.#guard(() => this.#listener(message))
  }

  /** What a listener throws hurts nobody else. */
  #guard(call: () => unknown): void {
    guarded(call, (error) => this.#context.failed(error, this.channel))
  }
}
