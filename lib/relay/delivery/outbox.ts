import { type Clock, type Timer } from '../../core/clock.ts'
import { WslbError } from '../../core/errors.ts'
import { type History } from '../session/entry.ts'
import { type Session } from '../session/session.ts'
import { Fifo } from './fifo.ts'
import { Lane, type LaneContext } from './lane.ts'
import { type Outcome, Pending, type Publish } from './pending.ts'
import { Replication } from './replication.ts'

export interface OutboxLimits {
  readonly replicas: number
  /** Milliseconds. */
  readonly grace: number
  readonly bytes: number
  readonly maxBytes: number
  readonly onFull: 'reject' | 'wait'
}

export interface OutboxOptions {
  readonly pid: string
  readonly clock: Clock
  readonly limits: OutboxLimits
  /** Whether messages for the channel may be sent already. */
  readonly open: (channel: string) => boolean
  /** There are fewer replicas than are to hold a message; `undefined` when there are enough again. */
  readonly short: (replicas: number | undefined) => void
}

export interface Outgoing extends Publish {
  readonly channel: string
  readonly history: History
}

/** What a message takes up besides its body, roughly. */
const OVERHEAD = 256

/** Everything that this process has published and that is not safe yet. It is repeated to every new master. */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #context: LaneContext
  readonly #replication: Replication
  readonly #lanes = new Map<string, Lane>()
  /** The number above all of lanes that are gone. */
  #highest = 0
  /** What a master has, in that order. */
  readonly #kept = new Fifo<Pending>()
  /** What is not answered for, oldest first. */
  readonly #unsettled = new Set<Pending>()
  /** Those that wait for room. */
  readonly #waiting = new Fifo<{ readonly pending: Pending; readonly outgoing: Outgoing }>()
  #bytes = 0
  #waitingBytes = 0
  #session: Session | undefined
  #pruning: Timer | undefined
  #closed = false
  #drained: (() => void) | undefined

  constructor(options: OutboxOptions) {
    const { pid, clock, limits, open } = options
    this.#options = options
    this.#replication = new Replication(limits.replicas, {
      clock,
      settle: (pending) => this.#settle(pending),
      short: options.short,
    })
    this.#context = { pid, clock, open, placed: (lane, pending) => this.#placed(lane, pending) }
  }

  get status(): { messages: number; bytes: number; oldestMs: number } {
    const [oldest] = this.#unsettled
    const oldestMs = oldest ? this.#options.clock.now() - oldest.publishedAt : 0
    return { messages: this.#unsettled.size, bytes: this.#bytes + this.#waitingBytes, oldestMs }
  }

  begin(session: Session): void {
    const another = session.epoch !== this.#session?.epoch
    this.#session = session
    this.#replication.begin(session)
    // What another master had is kept again when this one has it.
    if (another) this.#kept.clear()
    for (const lane of this.#lanes.values()) {
      for (const pending of lane.begin(session)) if (!pending.settled) this.#replication.add(pending)
    }
    this.#prune()
  }

  /** The channel is open now. */
  wake(channel: string): void {
    for (const fleeting of [false, true]) this.#lanes.get(laneKey(channel, fleeting))?.wake()
  }

  publish(outgoing: Outgoing): Promise<Outcome> {
    const { limits } = this.#options
    const size = outgoing.body.length + OVERHEAD
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(relayClosed())
      if (outgoing.body.length > limits.maxBytes) return reject(tooLarge(outgoing, limits))
      const room = this.#waiting.size === 0 && this.#hasRoom(size)
      if (!room && limits.onFull === 'reject') return reject(outboxFull(limits))
      const pending = new Pending(outgoing, size, this.#options.clock.now(), resolve, reject)
      this.#unsettled.add(pending)
      if (room) this.#enter(pending, outgoing)
      else {
        this.#waiting.push({ pending, outgoing })
        this.#waitingBytes += size
      }
    })
  }

  /** Settles when everything is answered for, or after `drain` milliseconds, when the rest is rejected. */
  async close(drain: number): Promise<void> {
    this.#closed = true
    if (this.#unsettled.size > 0 && drain > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.schedule(drain, resolve, true)
        this.#drained = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    this.#pruning?.cancel()
    for (const lane of this.#lanes.values()) lane.close()
    for (const { reject } of this.#unsettled) reject(relayClosed())
    this.#unsettled.clear()
    this.#waiting.clear()
    this.#lanes.clear()
    this.#kept.clear()
    this.#bytes = 0
    this.#waitingBytes = 0
  }

  #enter(pending: Pending, { channel, history, ack }: Outgoing): void {
    this.#bytes += pending.size
    this.#lane(channel, history).push(pending)
    if (ack === 'none') pending.answer()
  }

  #settle(pending: Pending): void {
    if (pending.settled) return
    pending.settled = true
    this.#unsettled.delete(pending)
    pending.answer()
    if (this.#unsettled.size === 0) this.#drained?.()
    this.#admit()
  }

  #lane(channel: string, history: History): Lane {
    const key = laneKey(channel, history.length === 0)
    let lane = this.#lanes.get(key)
    if (!lane) {
      this.#lanes.set(key, (lane = new Lane(channel, history, this.#highest + 1, this.#context)))
      if (this.#session) lane.begin(this.#session)
    }
    return lane
  }

  #placed(lane: Lane, pending: Pending): void {
    if (lane.fleeting) {
      this.#settle(pending)
      this.#drop(pending)
      return this.#admit()
    }
    if (pending.ack !== 'replicated') this.#settle(pending)
    else if (!pending.settled) this.#replication.add(pending)
    pending.keptAt = this.#options.clock.now()
    this.#kept.push(pending)
    this.#admit()
    if (!this.#pruning) this.#prune()
  }

  /** What has been safe for long enough is not kept any more; at the limit, what is safe is not kept as long. */
  #prune(): void {
    const { clock, limits } = this.#options
    this.#pruning?.cancel()
    this.#pruning = undefined
    // The time without a master does not count: what the next one lacks is what the last one had at its end.
    if (!this.#session || this.#session.signal.aborted) return
    const end = clock.now() - limits.grace
    for (let oldest = this.#kept.first; oldest && oldest.keptAt <= end; oldest = this.#kept.first) {
      if (!this.#forgetOldest()) break
    }
    const oldest = this.#kept.first
    if (!oldest) return
    const rest = Math.max(oldest.keptAt - end, limits.grace / 8)
    this.#pruning = clock.schedule(rest, () => this.#prune())
  }

  /** @returns whether the oldest one could be given up */
  #forgetOldest(): boolean {
    const oldest = this.#kept.first
    if (!oldest?.settled) return false
    this.#kept.shift()
    this.#drop(oldest)
    return true
  }

  /** Nothing happens to one that is to be repeated, or stands among the kept a second time since it was. */
  #drop(pending: Pending): void {
    const { lane } = pending
    if (!lane?.drop(pending)) return
    this.#bytes -= pending.size
    if (!lane.empty) return
    this.#highest = Math.max(this.#highest, lane.next - 1)
    this.#lanes.delete(laneKey(lane.channel, lane.fleeting))
  }

  #hasRoom(size: number): boolean {
    while (this.#bytes + size > this.#options.limits.bytes) if (!this.#forgetOldest()) return false
    return true
  }

  #admit(): void {
    for (
      let next = this.#waiting.first;
      next && this.#hasRoom(next.pending.size);
      next = this.#waiting.first
    ) {
      this.#waiting.shift()
      this.#waitingBytes -= next.pending.size
      this.#enter(next.pending, next.outgoing)
    }
  }
}

function laneKey(channel: string, fleeting: boolean): string {
  return fleeting ? `~${channel}` : `=${channel}`
}

export function relayClosed(): WslbError {
  return new WslbError('WSLB_CLOSED', 'the relay is closed', { retryable: false })
}

function outboxFull({ bytes }: OutboxLimits): WslbError {
  return new WslbError(
    'WSLB_RELAY_FULL',
    `the outbox is full: ${bytes} bytes wait for Redis (publish.outboxBytes)`,
  )
}

function tooLarge({ body, channel }: Outgoing, { maxBytes }: OutboxLimits): WslbError {
  const message = `a message of ${body.length} bytes for ${channel}: publish.maxBytes is ${maxBytes}`
  return new WslbError('WSLB_RELAY_TOO_LARGE', message)
}
