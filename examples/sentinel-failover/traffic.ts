import { setTimeout as sleep } from 'node:timers/promises'
import { type Program } from '../support/run-program.ts'
import { Publisher, Subscriber } from './client.ts'

/** Milliseconds between two messages of a publisher. */
const PACE = 25

/** What all clients together have seen. */
export interface Account {
  readonly published: number
  readonly delivered: number
  readonly lost: number
  readonly doubled: number
  readonly gaps: number
  /** Milliseconds for which some subscriber has heard nothing: until now, and the longest one. */
  readonly silence: number
  readonly longestSilence: number
}

/** Publishers and subscribers behind the balancer. */
export class Traffic {
  readonly #publishers: readonly Publisher[]
  readonly #subscribers: readonly Subscriber[]
  #timer: NodeJS.Timeout | undefined

  private constructor(publishers: readonly Publisher[], subscribers: readonly Subscriber[]) {
    this.#publishers = publishers
    this.#subscribers = subscribers
  }

  static async start(
    { teardown }: Pick<Program, 'teardown'>,
    url: string,
    [publishers, subscribers]: readonly [number, number],
  ): Promise<Traffic> {
    const traffic = new Traffic(
      Array.from({ length: publishers }, (_, i) => new Publisher(url, `publisher-${i + 1}`)),
      Array.from({ length: subscribers }, (_, i) => new Subscriber(url, `subscriber-${i + 1}`)),
    )
    teardown(() => traffic.#stop())
    // Subscribers first, and until they are told their place, so that nobody misses the beginning.
    await Promise.all(traffic.#subscribers.map((subscriber) => subscriber.enter()))
    await Promise.all(traffic.#subscribers.map((subscriber) => subscriber.placed))
    await Promise.all(traffic.#publishers.map((publisher) => publisher.enter()))
    traffic.#timer = setInterval(() => traffic.#publishers.forEach((publisher) => publisher.next()), PACE)
    return traffic
  }

  get account(): Account {
    const sum = (of: (subscriber: Subscriber) => number) =>
      this.#subscribers.reduce((total, subscriber) => total + of(subscriber), 0)
    return {
      published: this.#publishers.reduce((total, { said }) => total + said, 0),
      delivered: sum(({ delivered }) => delivered),
      lost: sum(({ lost }) => lost),
      doubled: sum(({ doubled }) => doubled),
      gaps: sum(({ gaps }) => gaps),
      silence: Math.max(...this.#subscribers.map(({ silence }) => silence)),
      longestSilence: Math.max(...this.#subscribers.map(({ longestSilence }) => longestSilence)),
    }
  }

  /** How often some client was cut off. */
  get cuts(): number {
    return [...this.#publishers, ...this.#subscribers].reduce((total, { cuts }) => total + cuts, 0)
  }

  /** Settles when everybody has heard everything that was said until now. */
  async caughtUp(): Promise<void> {
    const said = this.#publishers.map(({ name, said }) => [name, said] as const)
    const behind = ({ heard }: Subscriber) => said.some(([name, number]) => (heard.get(name) ?? 0) < number)
    while (this.#subscribers.some(behind) || this.#publishers.some(({ safe }, i) => safe < said[i]![1]))
      await sleep(20)
  }

  /** Begins to look for the longest silence anew. */
  forgetSilence(): void {
    for (const subscriber of this.#subscribers) subscriber.longestSilence = 0
  }

  fallSilent(): void {
    clearInterval(this.#timer)
  }

  #stop(): void {
    this.fallSilent()
    for (const client of [...this.#publishers, ...this.#subscribers]) client.leave()
  }
}
