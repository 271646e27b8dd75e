import { type WslbError } from '../../core/errors.ts'
import { type Appended, type Batch, type Entry, type History, type Pushed } from './entry.ts'
import { type Boundary, type Origin } from './position.ts'
import { type Registry } from './registry.ts'

/** A part of a log. */
export interface Slice {
  /**
   * The epoch of the log. It begins with that of the session and goes on with `.` and something unique: a log that was
   * lost under the same master and begins anew, by a FLUSHALL or because nobody has used it for long, has another one.
   */
  readonly epoch: string
  /** The epochs that the log knows, oldest first; the last one is `epoch`. */
  readonly chain: readonly Boundary[]
  /** The last offset of the whole log. */
  readonly top: number
  /** The offset that the slice begins behind: less than what the reader has where the rest of that did not survive. */
  readonly after: number
  /** What the reader lacks, and no longer gets. `from` and `to` are offsets, both lost; `to` may be unknown (0). */
  readonly gap: Gap | undefined
  /** In order, without a hole. More may follow unless the last one is `top`: `limit` and a number of bytes end a slice. */
  readonly entries: readonly Entry[]
}

/**
 * `trimmed`: more has been published than is kept; `expired`: it was kept for its time; `unknown-epoch`: the log is not
 * the one that the reader has read, e.g. Redis was wiped; `no-history`: the channel keeps nothing, and the reader was away;
 * `overrun`: the reader is slower than what is published; `bad-token`: a client has said where it stood in a way that
 * nobody can make sense of.
 */
export type GapReason = 'trimmed' | 'expired' | 'unknown-epoch' | 'no-history' | 'overrun' | 'bad-token'

export interface Gap {
  readonly from: number
  readonly to: number
  readonly reason: GapReason
}

/**
 * One term with one master: it begins when the master has been asked who it is and the lease holds, and it ends for good
 * when a connection ends, the master hangs, changes its role or is replaced, or the lease runs out. What is under way
 * when it ends may or may not have happened: its promise rejects with `SessionOver`. What the server refuses rejects with
 * `Refused`, and the session goes on. Nothing is ever repeated by a session.
 */
export interface Session {
  /** Of what this master holds: another epoch is another history, with a common beginning. */
  readonly epoch: string
  /** `host:port` of the master; `memory`. */
  readonly address: string
  /** Aborted at the end, with a `SessionOver` as reason. */
  readonly signal: AbortSignal
  readonly registry: Registry
  /** Milliseconds that the lease holds if nobody renews it; `Infinity` where none is needed. */
  leaseLeft(): number
  /** Appends and pushes. */
  append(channel: string, batch: Batch, history: History): Promise<Appended>
  /** Pushes without keeping anything. @returns the number of connections that got it */
  push(channel: string, entry: Omit<Entry, 'offset'>): Promise<number>
  /** @param limit entries at most */
  read(channel: string, origin: Origin, limit: number): Promise<Slice>
  /** From when it settles on, what is appended to or pushed into the channel reaches {@link SessionEvents.pushed}. */
  listen(channel: string): Promise<void>
  unlisten(channel: string): Promise<void>
  /** @returns how many replicas hold what was appended before the call; waits a moment for `wanted` of them */
  confirm(wanted: number): Promise<number>
}

export interface SessionEvents {
  /** The one before has ended. */
  begun(session: Session): void
  pushed(channel: string, entry: Pushed): void
  /** Why there is no session, or what a session suffers from; `undefined` when all is well again. Told when it changes. */
  trouble(error: WslbError | undefined): void
}

/** What gives sessions, one after another, until it is closed. */
export interface Transport {
  /** `memory`, `redis`, `sentinel`. */
  readonly kind: string
  /** Never throws and never rejects: what is wrong is told as trouble, and tried again. */
  open(events: SessionEvents): void
  /** Ends the session. Settles when every connection and timer is gone. */
  close(): Promise<void>
}
