import { type Position } from '../../../lib/relay/index.ts'

/** What happened in a run, as those who took part saw it. Times are milliseconds of the machine's one monotonic clock. */
export type Happened =
  /** From now on everything that is published must reach this subscriber. */
  | { readonly kind: 'listen'; readonly subscriber: string; readonly channel: string }
  | {
      readonly kind: 'intent'
      readonly publisher: string
      readonly channel: string
      readonly id: string
      readonly n: number
    }
  /** `publish()` has settled. */
  | {
      readonly kind: 'ack'
      readonly id: string
      readonly epoch: string
      readonly offset: number
      readonly replicas: number
    }
  | { readonly kind: 'refused'; readonly id: string; readonly code: string }
  | {
      readonly kind: 'deliver'
      readonly subscriber: string
      readonly channel: string
      readonly id: string
      readonly epoch: string
      readonly offset: number
      /** Where it stands now, if it is one that saves it together with what it got. */
      readonly position?: Position | undefined
    }
  | {
      readonly kind: 'gap'
      readonly subscriber: string
      readonly channel: string
      readonly from: number
      readonly to: number
      readonly reason: string
    }
  /** The subscriber has got the message that is published last. */
  | { readonly kind: 'end'; readonly subscriber: string; readonly channel: string }
  /** The publisher's process was killed. */
  | { readonly kind: 'died'; readonly publisher: string }
  /** Everything that the master held was taken from it. */
  | { readonly kind: 'wiped' }
  /** From the first to the last command that a node gave a master. */
  | {
      readonly kind: 'use'
      readonly node: string
      readonly master: string
      readonly first: number
      readonly last: number
    }
  /** How much of a bounded thing there was. */
  | { readonly kind: 'usage'; readonly what: string; readonly used: number; readonly limit: number }
  /** The log of a channel when all was over. */
  | {
      readonly kind: 'log'
      readonly channel: string
      readonly entries: readonly { readonly id: string; readonly offset: number }[]
    }

export type Recorded = Happened & { readonly at: number }

/** Of `kind` only. */
export type Only<K extends Happened['kind']> = Extract<Recorded, { readonly kind: K }>

/** The same on every process of the machine. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export type Witness = (happened: Happened) => void

/** Grows while a run lasts, and is asked whether it may go on. */
export class Recorder {
  readonly #events: Recorded[] = []
  readonly #intents = new Map<string, number>()
  /** When the newest of what a subscriber has got was published. */
  readonly #newest = new Map<string, number>()
  readonly #ended = new Set<string>()

  get events(): readonly Recorded[] {
    return this.#events
  }

  readonly add: Witness = (happened) => this.#take({ ...happened, at: monotonicNow() })

  /** What another process has written down, one event a line; of the last line perhaps only a part. */
  merge(lines: string): readonly Recorded[] {
    const whole = lines.slice(0, lines.lastIndexOf('\n') + 1).split('\n')
    const events = whole.filter((line) => line !== '').map((line) => JSON.parse(line) as Recorded)
    for (const event of events) this.#take(event)
    return events
  }

  /** Whether that subscriber has got something that was published since. */
  isUpToDate(subscriber: string, since: number): boolean {
    return (this.#newest.get(subscriber) ?? -Infinity) > since
  }

  hasEnded(subscriber: string): boolean {
    return this.#ended.has(subscriber)
  }

  #take(event: Recorded): void {
    this.#events.push(event)
    if (event.kind === 'intent') this.#intents.set(event.id, event.at)
    else if (event.kind === 'end') this.#ended.add(event.subscriber)
    else if (event.kind === 'deliver') {
      const at = this.#intents.get(event.id) ?? -Infinity
      this.#newest.set(event.subscriber, Math.max(at, this.#newest.get(event.subscriber) ?? -Infinity))
    }
  }
}
