import { type Happened, type Only, type Recorded } from './record.ts'

/** One message, and everything that is known of it. */
export interface Sent {
  readonly intent: Only<'intent'>
  ack: Only<'ack'> | undefined
  /** Place in the log that was there at the end. */
  surviving: number | undefined
  /** Everywhere that it was said to stand. */
  readonly places: { readonly epoch: string; readonly offset: number }[]
}

/** What one subscriber of one channel met, in its order. */
export interface Listening {
  readonly subscriber: string
  readonly channel: string
  readonly since: number
  readonly met: (Only<'deliver'> | Only<'gap'>)[]
}

/** A record, sorted by who and what it is about. */
export class Run {
  readonly events: readonly Recorded[]
  readonly messages = new Map<string, Sent>()
  readonly listening = new Map<string, Listening>()
  /** Channel → its last epoch. */
  readonly #last = new Map<string, string>()
  /** Channel and epoch → the first place whose message does not stand there in the surviving log. */
  readonly #parting = new Map<string, number>()
  readonly gaps: number
  readonly deliveries: number

  /** @throws Error for a record that proves nothing, since it lacks the log of a channel */
  constructor(events: readonly Recorded[]) {
    this.events = events.toSorted((a, b) => a.at - b.at)
    this.gaps = this.of('gap').length
    this.deliveries = this.of('deliver').length
    for (const intent of this.of('intent')) {
      this.messages.set(intent.id, { intent, ack: undefined, surviving: undefined, places: [] })
    }
    for (const { subscriber, channel, at } of this.of('listen')) {
      const key = keyOf({ subscriber, channel })
      if (!this.listening.has(key)) this.listening.set(key, { subscriber, channel, since: at, met: [] })
    }
    for (const event of this.events) this.#place(event)
    for (const sent of this.messages.values()) this.#compare(sent)
    const logs = new Set(this.of('log').map(({ channel }) => channel))
    for (const { channel } of this.of('intent')) {
      if (!logs.has(channel))
        throw new Error(`the record does not say what the log of ${channel} was in the end`)
    }
  }

  of<K extends Happened['kind']>(kind: K): Only<K>[] {
    return this.events.filter((event): event is Only<K> => event.kind === kind)
  }

  /** Messages that the relay has taken: it said so, or they stand in the log. */
  get accepted(): Sent[] {
    return [...this.messages.values()].filter(({ ack, surviving }) => ack || surviving !== undefined)
  }

  /** Whether it stood in a tail that did not survive. */
  ghostly({ channel, epoch, offset }: Only<'deliver'>): boolean {
    return offset >= (this.#parting.get(`${channel} ${epoch}`) ?? Infinity)
  }

  #place(event: Recorded): void {
    if (event.kind === 'ack') {
      const sent = this.messages.get(event.id)
      if (!sent) return
      sent.ack = event
      sent.places.push(event)
      this.#newest(sent.intent.channel, event.epoch)
    } else if (event.kind === 'deliver') {
      this.messages.get(event.id)?.places.push(event)
      this.listening.get(keyOf(event))?.met.push(event)
      this.#newest(event.channel, event.epoch)
    } else if (event.kind === 'gap') {
      this.listening.get(keyOf(event))?.met.push(event)
    } else if (event.kind === 'log') {
      for (const { id, offset } of event.entries) {
        const sent = this.messages.get(id)
        if (!sent) continue
        sent.surviving = offset
        sent.places.push({ epoch: this.#last.get(event.channel) ?? '', offset })
      }
    }
  }

  #newest(channel: string, epoch: string): void {
    const key = `${channel} ${epoch}`
    if (this.#parting.has(key)) return
    this.#parting.set(key, Infinity)
    this.#last.set(channel, epoch)
  }

  #compare({ intent: { channel }, surviving, places }: Sent): void {
    for (const { epoch, offset } of places) {
      if (offset === surviving || epoch === this.#last.get(channel)) continue
      const key = `${channel} ${epoch}`
      this.#parting.set(key, Math.min(offset, this.#parting.get(key) ?? Infinity))
    }
  }
}

function keyOf({ subscriber, channel }: { readonly subscriber: string; readonly channel: string }): string {
  return `${subscriber} ${channel}`
}
