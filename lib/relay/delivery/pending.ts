import { type Draft } from '../session/entry.ts'

/** What is known of a message when `publish()` resolves. */
export interface Outcome extends Answer {
  /** The publisher's number of the message. */
  readonly seq: number
  readonly replicas: number
}

/** What the master said of a message. */
export interface Answer {
  readonly offset: number
  readonly epoch: string
  readonly duplicate: boolean
  readonly receivers: number
}

/** A message on its way: it waits, is placed on a master, perhaps confirmed by replicas, and is kept for repetition. */
export interface Pending extends Draft {
  readonly ack: 'replicated' | 'master' | 'none'
  /** Bytes that it takes up. */
  readonly size: number
  /** What the master answered; `undefined` until it has, and again when the epoch has changed. */
  placed: Answer | undefined
  settled: boolean
  /** Called once, by {@link settle}. */
  readonly resolve: (outcome: Outcome) => void
}

export function settle(pending: Pending, replicas: number): void {
  if (pending.settled) return
  pending.settled = true
  pending.resolve({ ...pending.placed!, seq: pending.seq, replicas })
}
