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
    }
  | {
      readonly kind: 'gap'
      readonly subscriber: string
      readonly channel: string
      readonly from: number
      readonly to: number
      readonly reason: string
    }
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

export class Recorder {
  readonly events: Recorded[] = []

  add(happened: Happened): void {
    this.events.push({ ...happened, at: monotonicNow() })
  }

  /** What another process has written down, one event a line; of the last line perhaps only a part. */
  take(lines: string): void {
    const end = lines.lastIndexOf('\n')
    if (end < 0) return
    for (const line of lines.slice(0, end).split('\n')) this.events.push(JSON.parse(line) as Recorded)
  }

  of<K extends Happened['kind']>(kind: K): Only<K>[] {
    return this.events.filter((event): event is Only<K> => event.kind === kind)
  }
}
