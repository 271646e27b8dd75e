import { type Timer } from '../../core/clock.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Pushed } from '../session/entry.ts'
import { type Message } from '../session/message.ts'
import { originOf } from '../session/position.ts'
import { type Session } from '../session/session.ts'
import { Feed, type FeedContext } from './feed.ts'
import { type SubscribeOptions, Subscription, type SubscriptionContext } from './subscription.ts'

/** Milliseconds between two looks for quiet feeds. */
const ROUND = 30_000
/** Feeds that begin at the same time in a new session. */
const ABREAST = 512

export interface FeedsContext extends Omit<FeedContext, 'synced' | 'rewound' | 'repeated'> {
  /** Messages for the channel may be sent from now on: this process hears them. */
  established(channel: string): void
  failed: SubscriptionContext['failed']
}

/** The channels that this process reads. */
export class Feeds {
  readonly counts = { gaps: 0, dup: 0, rewinds: 0 }
  readonly #context: FeedsContext
  readonly #feeds = new Map<string, { feed: Feed; subscriptions: Set<Subscription> }>()
  readonly #subscriptionContext: SubscriptionContext
  #session: Session | undefined
  #round: Timer | undefined

  constructor(context: FeedsContext) {
    this.#context = context
    this.#subscriptionContext = {
      clock: context.clock,
      grace: context.grace,
      failed: context.failed,
      told: () => this.counts.gaps++,
      closed: (subscription) => this.#leave(subscription),
    }
  }

  get subscriptions(): number {
    let count = 0
    for (const { subscriptions } of this.#feeds.values()) count += subscriptions.size
    return count
  }

  /** Whether this process has to find its place in the channel before it publishes there. */
  isOpening(channel: string): boolean {
    return this.#feeds.get(channel)?.feed.established === false
  }

  /**
   * @param fleeting whether the channel keeps nothing
   * @throws ConfigError for a `from` that is no position, and where somebody reads the channel as one of the other kind
   */
  subscribe(
    channel: string,
    fleeting: boolean,
    listener: (message: Message) => void,
    options: SubscribeOptions,
  ): Subscription {
    const { from = 'now' } = options
    originOf(from)
    const { feed, subscriptions } = this.#feeds.get(channel) ?? this.#open(channel, fleeting)
    if (feed.fleeting !== fleeting) {
      const message = `${channel} is read ${fleeting ? 'with' : 'without'} history here already: every user of a channel gives it the same`
      throw new ConfigError([{ path: 'history', message }])
    }
    const subscription = new Subscription(feed, listener, options, this.#subscriptionContext)
    subscriptions.add(subscription)
    return subscription
  }

  pushed(channel: string, entry: Pushed): void {
    this.#feeds.get(channel)?.feed.pushed(entry)
  }

  async begin(session: Session): Promise<void> {
    this.#session = session
    this.#round?.cancel()
    // Those that join meanwhile begin by themselves.
    await this.#each(session, (feed, goOn) => feed.begin(session, goOn))
    this.#schedule(session)
  }

  close(): void {
    this.#round?.cancel()
    this.#session = undefined
    for (const { subscriptions } of [...this.#feeds.values()])
      for (const subscription of subscriptions) subscription.close()
  }

  #open(channel: string, fleeting: boolean): { feed: Feed; subscriptions: Set<Subscription> } {
    const subscriptions = new Set<Subscription>()
    const feed = new Feed(channel, fleeting, {
      clock: this.#context.clock,
      grace: this.#context.grace,
      synced: () => {
        this.#context.established(channel)
        for (const subscription of subscriptions) subscription.advance()
      },
      rewound: () => this.counts.rewinds++,
      repeated: () => this.counts.dup++,
    })
    const opened = { feed, subscriptions }
    this.#feeds.set(channel, opened)
    if (this.#session) void feed.begin(this.#session)
    return opened
  }

  #schedule(session: Session): void {
    if (this.#session !== session || session.signal.aborted) return
    this.#round = this.#context.clock.schedule(ROUND, () => {
      void this.#each(session, (feed) => feed.renew()).then(() => this.#schedule(session))
    })
  }

  /** Some at a time, while the session lasts. @param act calls `goOn` when others need not wait for it */
  async #each(session: Session, act: (feed: Feed, goOn: () => void) => Promise<void>): Promise<void> {
    const feeds = Array.from(this.#feeds.values(), ({ feed }) => feed).values()
    const worker = async () => {
      for (const feed of feeds) {
        if (this.#session !== session) return
        // It may have been closed while others were served.
        if (this.#feeds.get(feed.channel)?.feed !== feed) continue
        await new Promise<void>((resolve) => void act(feed, resolve).then(resolve))
      }
    }
    await Promise.all(Array.from({ length: ABREAST }, worker))
  }

  #leave(subscription: Subscription): void {
    const { channel } = subscription
    const opened = this.#feeds.get(channel)
    if (!opened?.subscriptions.delete(subscription) || opened.subscriptions.size > 0) return
    this.#feeds.delete(channel)
    opened.feed.end()
    // Whoever waited for its place does not have to any more.
    this.#context.established(channel)
  }
}
