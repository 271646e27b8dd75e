import { type Clock } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Session } from '../session/session.ts'
import { type Pending } from './pending.ts'

/** Milliseconds between two questions when there are too few replicas. */
const PAUSE = 100

/** Messages that a master has, and not yet enough of its replicas. */
export class Replication {
  readonly #wanted: number
  readonly #clock: Clock
  readonly #settle: (pending: Pending) => void
  #waiting: Pending[] = []
  #session: Session | undefined
  #asking = false

  /** @param settle told of each one that enough replicas have */
  constructor(wanted: number, clock: Clock, settle: (pending: Pending) => void) {
    this.#wanted = wanted
    this.#clock = clock
    this.#settle = settle
  }

  /** What waited is placed again by the new session, or added again. */
  begin(session: Session): void {
    this.#session = session
    this.#waiting = []
    this.#asking = false
  }

  /** What the master of the present session has. */
  add(pending: Pending): void {
    if (this.#wanted === 0) return this.#settle(pending)
    this.#waiting.push(pending)
    if (!this.#asking) void this.#ask(this.#session!)
  }

  async #ask(session: Session): Promise<void> {
    this.#asking = true
    while (this.#session === session && this.#waiting.length > 0) {
      const asked = this.#waiting
      this.#waiting = []
      const replicas = await session.confirm(this.#wanted).catch(() => 0)
      // An answer is worth nothing when the master has changed meanwhile: it may be of one whose history is discarded.
      if (this.#session !== session || session.signal.aborted) return
      if (replicas >= this.#wanted) {
        for (const pending of asked) {
          pending.replicas = replicas
          this.#settle(pending)
        }
        continue
      }
      this.#waiting = asked.concat(this.#waiting)
      await sleep(PAUSE, this.#clock, session.signal).catch(() => {})
    }
    if (this.#session === session) this.#asking = false
  }
}
