import { type Clock, STALL, type Timer } from '../../core/clock.ts'
import { type Reply } from '../session/evaluator.ts'

/** Milliseconds between two rounds while somebody waits for replicas, and while nobody does. */
const TICK = 20
const IDLE = 500
/** Milliseconds that a round waits for replicas. */
const WAIT = 300
/** Milliseconds after which a master that does not answer hangs. */
const HANG = 1_500
/** Milliseconds that the marker lives. */
const MARKER = 10_000

export interface HeartbeatContext {
  readonly clock: Clock
  /** Sends on the control connection, and rejects as a session does. */
  readonly ask: (args: readonly string[]) => Promise<Reply>
  readonly marker: { readonly key: string; readonly value: string }
  /** The marker was written. */
  readonly well: () => void
  readonly unwell: (error: unknown) => void
  readonly hangs: (silence: number) => void
}

interface Caller {
  readonly wanted: number
  readonly resolve: (replicas: number) => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes a marker now and then: its answer shows that the master lives and takes writes, and a WAIT behind it says how many
 * replicas hold the marker, and so all that came before. Who asks while a round is under way waits for the next one.
 */
export class Heartbeat {
  readonly #context: HeartbeatContext
  #callers: Caller[] = []
  #began = -Infinity
  #running = false
  #stopped = false
  #next: Timer | undefined
  #deadline: Timer | undefined

  constructor(context: HeartbeatContext) {
    this.#context = context
    this.#schedule()
  }

  /** @returns how many replicas hold what was written before */
  confirm(wanted: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#callers.push({ wanted, resolve, reject })
      if (this.#callers.length === 1) this.#schedule()
    })
  }

  stop(reason: unknown): void {
    this.#stopped = true
    this.#next?.cancel()
    this.#deadline?.cancel()
    for (const { reject } of this.#callers) reject(reason)
    this.#callers = []
  }

  #schedule(): void {
    if (this.#running || this.#stopped) return
    const { clock } = this.#context
    const pause = this.#callers.length > 0 ? TICK : IDLE
    this.#next?.cancel()
    this.#next = clock.schedule(Math.max(0, this.#began + pause - clock.now()), () => void this.#round())
  }

  async #round(): Promise<void> {
    const { clock, ask, marker } = this.#context
    const callers = this.#callers
    this.#callers = []
    this.#running = true
    this.#began = clock.now()
    this.#watch()
    const wanted = Math.max(0, ...callers.map((caller) => caller.wanted))
    const [written, counted] = await Promise.allSettled([
      ask(['SET', marker.key, marker.value, 'PX', String(MARKER)]),
      wanted > 0 ? ask(['WAIT', String(wanted), String(WAIT)]) : 0,
    ])
    this.#deadline?.cancel()
    this.#running = false
    // Without the marker, WAIT speaks of an older write.
    const failed = [written, counted].find((result) => result.status === 'rejected')
    const replicas = counted.status === 'fulfilled' ? Number(counted.value) : 0
    for (const { resolve, reject } of callers) {
      if (failed) reject(failed.reason)
      else resolve(replicas)
    }
    if (this.#stopped) return
    if (failed) this.#context.unwell(failed.reason)
    else this.#context.well()
    this.#schedule()
  }

  #watch(): void {
    const { clock, hangs } = this.#context
    const due = clock.now() + HANG
    this.#deadline = clock.schedule(HANG, () => {
      // After a sleep of our own, the answer may lie unread.
      if (clock.now() - due > STALL) this.#watch()
      else hangs(HANG)
    })
  }
}
