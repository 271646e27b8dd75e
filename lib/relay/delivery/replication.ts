import { type Clock } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Session } from '../session/session.ts'
import { type Pending } from './pending.ts'

/** Milliseconds between two questions when there are too few replicas. */
const PAUSE = 100

/** Milliseconds after which it is told that there are too few. */
const PATIENCE = 2_000

export interface ReplicationContext {
  readonly clock: Clock
  /** Enough replicas have it. */
  readonly settle: (pending: Pending) => void
  /** There are too few replicas; `undefined` when there are enough again. Told when it changes. */
  readonly short: (replicas: number | undefined) => void
}

/** Messages that a master has, and not yet enough of its replicas. */
export class Replication {
  readonly #wanted: number
  readonly #context: ReplicationContext
  #waiting: Pending[] = []
  #session: Session | undefined
  #asking = false
  #shortSince: number | undefined
  #told = false

  constructor(wanted: number, context: ReplicationContext) {
    this.#wanted = wanted
    this.#context = context
  }

  /** What waited is placed again by the new session, or added again. */
  begin(session: Session): void {
    this.#session = session
    this.#waiting = []
    this.#asking = false
    this.#judge(this.#wanted)
  }

  /** What the master of the present session has. */
  add(pending: Pending): void {
    if (this.#wanted === 0) return this.#context.settle(pending)
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
      this.#judge(replicas)
      if (replicas >= this.#wanted) {
        for (const pending of asked) {
          pending.replicas = replicas
          this.#context.settle(pending)
        }
        continue
      }
      this.#waiting = asked.concat(this.#waiting)
      await sleep(PAUSE, this.#context.clock, session.signal).catch(() => {})
    }
    if (this.#session === session) this.#asking = false
  }

  #judge(replicas: number): void {
    const { clock, short } = this.#context
    const enough = replicas >= this.#wanted
    this.#shortSince = enough ? undefined : (this.#shortSince ?? clock.now())
    const told = this.#shortSince !== undefined && clock.now() - this.#shortSince >= PATIENCE
    if (told === this.#told) return
    this.#told = told
    short(told ? replicas : undefined)
  }
}
