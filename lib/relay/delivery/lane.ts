import { type Clock, type Timer } from '../../core/clock.ts'
import { type Appended, type History } from '../session/entry.ts'
import { fleetingPid } from '../session/fleeting-pid.ts'
import { type Session } from '../session/session.ts'
import { Fifo } from './fifo.ts'
import { type Pending } from './pending.ts'

/** What is sent together at most. */
const BATCH = 512
const BATCH_BYTES = 256 << 10
/** Milliseconds until what the server refused is tried again: doubled each time. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 1_000

export interface LaneContext {
  readonly pid: string
  readonly clock: Clock
  /** Whether messages may be sent already. */
  readonly open: (channel: string) => boolean
  /** Told of each message that the master has, in order; again of one that is repeated. */
  placed(lane: Lane, pending: Pending): void
}

/**
 * The messages of this process for one channel, in order: first those that are kept for repetition, then those that wait.
 * One batch is under way at a time, so nothing overtakes anything, whatever is refused, lost or repeated.
 */
export class Lane {
  readonly channel: string
  readonly history: History
  readonly #context: LaneContext
  readonly #queue = new Fifo<Pending>()
  #next: number
  /** How many of the queue the master has. */
  #sent = 0
  #session: Session | undefined
  /** What the messages before `#sent` were placed in. */
  #epoch: string | undefined
  #flying = false
  #woken = false
  #pause = FIRST_PAUSE
  #retry: Timer | undefined

  /** @param next number of the first message: above that of any message this process has published in the channel */
  constructor(channel: string, history: History, next: number, context: LaneContext) {
    this.#next = next
    this.channel = channel
    this.history = history
    this.#context = context
  }

  /** Whether nothing is kept, here and there. */
  get fleeting(): boolean {
    return this.history.length === 0
  }

  get empty(): boolean {
    return this.#queue.size === 0
  }

  /** The number of the next message. */
  get next(): number {
    return this.#next
  }

  push(pending: Pending): void {
    pending.seq = this.#next++
    pending.lane = this
    this.#queue.push(pending)
    this.wake()
  }

  /** Another master: it gets everything that is kept, in order. The same one again: only what it has not answered. */
  begin(session: Session): readonly Pending[] {
    this.#session = session
    this.#flying = false
    this.#stopWaiting()
    if (session.epoch !== this.#epoch) {
      this.#epoch = session.epoch
      this.#sent = 0
    }
    this.wake()
    return this.#queue.slice(0, this.#sent)
  }

  /** Is not repeated any more, if it is the oldest one and the master has it. @returns whether that was so */
  drop(pending: Pending): boolean {
    if (this.#queue.first !== pending || this.#sent === 0) return false
    this.#queue.shift()
    this.#sent--
    return true
  }

  close(): void {
    this.#stopWaiting()
    this.#session = undefined
  }

  /** Sends in a moment, together with whatever else is published in this turn. */
  wake(): void {
    if (this.#woken) return
    this.#woken = true
    queueMicrotask(() => {
      this.#woken = false
      if (this.#session && !this.#flying && !this.#retry && this.#queue.size > this.#sent)
        void this.#send(this.#session)
    })
  }

  async #send(session: Session): Promise<void> {
    if (session.signal.aborted || !this.#context.open(this.channel)) return
    const batch = this.#nextBatch()
    this.#flying = true
    try {
      const appended = await this.#place(session, batch)
      if (this.#session !== session) return
      this.#pause = FIRST_PAUSE
      if (appended.status === 'hole') this.#rewind(appended.last)
      else this.#keep(batch, appended)
    } catch {
      if (this.#session !== session) return
      // At the end of a session, the next one sends again.
      if (!session.signal.aborted) this.#waitAndRetry()
    }
    this.#flying = false
    this.wake()
  }

  #nextBatch(): readonly Pending[] {
    const batch = this.#queue.slice(this.#sent, this.#sent + BATCH)
    let bytes = 0
    const end = batch.findIndex((pending) => (bytes += pending.size) > BATCH_BYTES)
    return end < 1 ? (end === 0 ? batch.slice(0, 1) : batch) : batch.slice(0, end)
  }

  async #place(session: Session, entries: readonly Pending[]): Promise<Appended> {
    const { pid } = this.#context
    if (!this.fleeting) {
      const floor = this.#queue.first!.seq
      return session.append(this.channel, { pid, floor, entries }, this.history)
    }
    const pushed = entries.map(({ seq, body }) =>
      session.push(this.channel, { pid: fleetingPid(pid), seq, body }),
    )
    const placed = (await Promise.all(pushed)).map((receivers) => ({
      offset: 0,
      duplicate: false,
      receivers,
    }))
    return { status: 'placed', epoch: session.epoch, placed }
  }

  #keep(batch: readonly Pending[], { epoch, placed }: Appended & { status: 'placed' }): void {
    batch.forEach((pending, index) => {
      pending.place(placed[index]!, epoch)
      this.#sent++
      this.#context.placed(this, pending)
    })
  }

  /** The master lacks what comes behind `last`: it is all sent again from there. */
  #rewind(last: number): void {
    const first = this.#queue.first!.seq
    this.#sent = Math.max(0, last + 1 - first)
  }

  #waitAndRetry(): void {
    this.#retry = this.#context.clock.schedule(this.#pause, () => {
      this.#retry = undefined
      this.wake()
    })
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
  }

  #stopWaiting(): void {
    this.#retry?.cancel()
    this.#retry = undefined
    this.#pause = FIRST_PAUSE
  }
}
