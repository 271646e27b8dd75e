import { type Clock } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Entry, type Pushed } from '../session/entry.ts'
import { messageOf, type Message } from '../session/message.ts'
import { type Boundary, type Position, type Trail, trailOf } from '../session/position.ts'
import { type Gap, type Session, type Slice } from '../session/session.ts'
import { Ring } from './ring.ts'
import { Seen } from './seen.ts'

/** Entries that are asked for at once. */
export const PAGE = 500
/** Milliseconds until a question that was refused is asked again. */
const PAUSE = 200

/** Behind a gap too. */
export function endOf(after: number, gap: Gap | undefined): number {
  return Math.max(after, gap?.to ?? 0)
}

export function positionOf([mark, ...trail]: Trail, seen: Seen | undefined, grace: number): Position {
  return { ...mark!, trail, seen: seen?.recent(2 * grace) ?? {} }
}

/** Milliseconds after which a log that is quiet is read again: Redis forgets what nobody asks for in ten minutes. */
const RENEWAL = 240_000

/** A place in a channel. */
export interface Standing {
  readonly trail: Trail
  readonly seen: Seen
}

/** Who gets what the feed gets, as it comes. */
export interface Follower {
  deliver(entry: Entry, message: Message | undefined): void
  lose(gap: Gap): void
}

export interface FeedContext {
  readonly clock: Clock
  /** Milliseconds for which publishers may repeat what a master has lost. */
  readonly grace: number
  /** Told when the feed has found its beginning, or has gone on in another session. */
  synced(feed: Feed): void
  rewound(): void
  repeated(): void
}

/**
 * One channel as this process reads it: pushes while they follow one another without a hole, the log wherever they do not.
 * It stands at one offset of one epoch, and everybody who follows stands there too.
 */
export class Feed {
  readonly channel: string
  /** Whether the channel keeps nothing. */
  readonly fleeting: boolean
  readonly seen = new Seen()
  readonly followers = new Set<Follower>()
  /** What came since somebody fell behind. */
  readonly ring = new Ring()
  readonly #context: FeedContext
  #session: Session | undefined
  #refused: () => void = () => {}
  #epoch = ''
  #offset = 0
  #chain: readonly Boundary[] = []
  #established = false
  #syncing = false
  /** The last one that was pushed while the log was read. */
  #missed: Pushed | undefined
  /** Counts the changes of its place. */
  #serial = 0
  #touched = 0
  /** What stands while followers are told of something: who was not told yet stands where the feed stood before. */
  #step: Standing | (() => Standing) | undefined
  #position: { readonly serial: number; readonly value: Position } | undefined

  constructor(channel: string, fleeting: boolean, context: FeedContext) {
    this.channel = channel
    this.fleeting = fleeting
    this.#context = context
  }

  /** Whether its place in the log is known. */
  get established(): boolean {
    return this.#established
  }

  get epoch(): string {
    return this.#epoch
  }

  get offset(): number {
    return this.#offset
  }

  /** Grows with every change of its place: who joins while an entry is delivered, does not get that one. */
  get serial(): number {
    return this.#serial
  }

  get session(): Session | undefined {
    return this.#session
  }

  trail(): Trail {
    return trailOf(this.#epoch, this.#offset, this.#chain)
  }

  /** While followers are told of something, what was before that; else `undefined`. */
  get before(): Standing | undefined {
    return typeof this.#step === 'function' ? this.#step() : this.#step
  }

  /** The same object until something is accepted, so that what is made of it can be shared. */
  position(): Position {
    if (this.#position?.serial !== this.#serial) {
      const value = positionOf(this.trail(), this.seen, this.#context.grace)
      this.#position = { serial: this.#serial, value }
    }
    return this.#position.value
  }

  /**
   * Listens, and catches up with what was missed. Settles when that is done or the session is over; never rejects.
   * @param refused told when the server refuses something, which is then tried again and again
   */
  async begin(session: Session, refused = () => {}): Promise<void> {
    this.#refused = refused
    this.#session = session
    this.#syncing = true
    const listening = await this.#persist(session, () => session.listen(this.channel).then(() => true))
    if (listening) await this.#sync(session)
  }

  end(): void {
    const session = this.#session
    this.#session = undefined
    if (session && !session.signal.aborted) session.unlisten(this.channel).catch(() => {})
  }

  pushed(entry: Pushed): void {
    // Nobody has kept it, so its place is here and now.
    if (entry.offset === 0) return this.#accept(entry)
    if (this.#syncing) {
      this.#missed = entry
    } else if (entry.epoch === this.#epoch && entry.offset <= this.#offset + 1) {
      if (entry.offset === this.#offset + 1) this.#accept(entry)
    } else {
      this.#syncing = true
      void this.#sync(this.#session!)
    }
  }

  /** Keeps a quiet log from being forgotten, after which its reader would be told of a gap. */
  async renew(): Promise<void> {
    if (this.#context.clock.now() - this.#touched > RENEWAL) await this.resync()
  }

  /** Reads on, although nothing was pushed. */
  async resync(): Promise<void> {
    if (this.#syncing || this.fleeting || !this.#session) return
    this.#syncing = true
    await this.#sync(this.#session)
  }

  async #sync(session: Session): Promise<void> {
    if (this.fleeting) {
      if (this.#established) this.#lose({ from: 0, to: 0, reason: 'no-history' })
      this.#epoch = session.epoch
    } else if (!(await this.#readOn(session))) {
      return
    }
    this.#syncing = false
    this.#established = true
    this.#context.synced(this)
  }

  /** @returns `false` when the session is over */
  async #readOn(session: Session): Promise<boolean> {
    for (;;) {
      const origin = this.#established ? this.trail() : 'now'
      this.#missed = undefined
      const slice = await this.#persist(session, () => session.read(this.channel, origin, PAGE))
      if (!slice) return false
      this.#apply(slice)
      if (this.#offset >= slice.top && !this.#hasMissed()) return true
    }
  }

  /** Whether something was pushed that the last answer does not have. */
  #hasMissed(): boolean {
    return !!this.#missed && (this.#missed.epoch !== this.#epoch || this.#missed.offset > this.#offset)
  }

  #apply({ epoch, chain, after, gap, entries }: Slice): void {
    if (this.#established && after < this.#offset && !gap) this.#context.rewound()
    if (epoch !== this.#epoch) this.ring.clear()
    const before = gap && { trail: this.trail(), seen: this.seen }
    this.#serial++
    this.#epoch = epoch
    this.#chain = chain
    this.#offset = endOf(after, gap)
    this.#established = true
    this.#touched = this.#context.clock.now()
    if (gap) this.#lose(gap, before)
    for (const entry of entries) this.#accept(entry)
  }

  #lose(gap: Gap, before?: Standing): void {
    this.ring.clear()
    this.#step = before
    for (const follower of this.followers) follower.lose(gap)
    this.#step = undefined
  }

  #accept(entry: Entry): void {
    this.#serial++
    const { pid, seq, offset } = entry
    if (offset > 0) {
      this.#offset = offset
      this.ring.push(entry)
    }
    const { clock } = this.#context
    this.#touched = clock.now()
    const last = this.seen.last(pid)
    if (!this.seen.take(pid, seq, this.#touched)) return this.#context.repeated()
    if (this.followers.size === 0) return
    const opened = messageOf(this.channel, this.#epoch, entry, () => clock.wallTime())
    if (opened?.keyed && !this.seen.takeId(opened.message.id)) return this.#context.repeated()
    this.#step = () => ({
      trail: trailOf(this.#epoch, this.#offset - (offset > 0 ? 1 : 0), this.#chain),
      seen: this.seen.before(pid, last),
    })
    for (const follower of this.followers) follower.deliver(entry, opened?.message)
    this.#step = undefined
  }

  /** Again until it is not refused. @returns `undefined` when the session is over */
  async #persist<T>(session: Session, ask: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        const answer = await ask()
        return this.#session === session ? answer : undefined
      } catch {
        if (this.#session !== session || session.signal.aborted) return undefined
        this.#refused()
        await sleep(PAUSE, this.#context.clock, session.signal).catch(() => {})
        if (this.#session !== session || session.signal.aborted) return undefined
      }
    }
  }
}
