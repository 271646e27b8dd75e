import { type Clock, type Timer } from '../../core/clock.ts'
import { type Reply } from '../session/evaluator.ts'
import { Watchdog } from './watchdog.ts'

/** Milliseconds between two rounds while somebody waits for replicas, and while nobody does. */
const TICK = 20
const IDLE = 500
/** Milliseconds that a round waits for replicas. */
const WAIT = 300
/** Milliseconds that the marker lives. */
const MARKER = 10_000

export interface HeartbeatContext {
  readonly clock: Clock
  /** Sends on the control connection, and rejects as a session does. */
  readonly ask: (args: readonly string[]) => Promise<Reply>
  /** Asks for any answer on the other connection, of which the control connection knows nothing. */
  readonly ping: () => Promise<unknown>
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
  readonly #control: Watchdog
  readonly #data: Watchdog
  #callers: Caller[] = []
  #began = -Infinity
  #running = false
  #stopped = false
  #next: Timer | undefined

  constructor(context: HeartbeatContext) {
    this.#context = context
    this.#control = new Watchdog(context.clock, context.hangs)
    this.#data = new Watchdog(context.clock, context.hangs)
    this.#schedule()
  }

  /** @returns how many replicas hold what was written before */
  confirm(wanted: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#callers.push({ wanted, resolve, reject })
      if (this.#callers.length === 1) this.#schedule()
    })
  }

  /** Something has come on the data connection. */
  heard(): void {
    this.#data.heard()
  }

  stop(reason: unknown): void {
    this.#stopped = true
    this.#next?.cancel()
    for (const watchdog of [this.#control, this.#data]) watchdog.sleep()
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
    this.#control.wake()
    this.#ping()
    const wanted = Math.max(0, ...callers.map((caller) => caller.wanted))
    const [written, counted] = await Promise.allSettled([
      ask(['SET', marker.key, marker.value, 'PX', String(MARKER)]),
      wanted > 0 ? ask(['WAIT', String(wanted), String(WAIT)]) : 0,
    ])
    this.#control.sleep()
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

  /** Nobody waits for it: the answers of a connection that is busy come when they come. */
  #ping(): void {
    if (this.#data.awake) return
    this.#data.wake()
    const answered = () => this.#data.sleep()
    this.#context.ping().then(answered, answered)
  }
}
