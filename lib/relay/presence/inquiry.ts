import { type Clock } from '../../core/clock.ts'
import { WslbError } from '../../core/errors.ts'
import { sleep } from '../../core/sleep.ts'
import { untilAborted } from '../../core/until-aborted.ts'
import { Refused, SessionOver } from '../session/failures.ts'
import { type Registry } from '../session/registry.ts'
import { type Session } from '../session/session.ts'

/** Milliseconds that a call waits while there is no master, or while it refuses. */
export const PATIENCE = 30_000
/** Milliseconds until what was refused is asked again. */
const PAUSE = 200

/** Asks the registry of whatever session there is; waits for one where there is none. */
export class Inquiry {
  readonly #clock: Clock
  readonly #closed: AbortSignal
  #session: Session | undefined
  #begun = settler()

  /** @param closed its reason is what every call rejects with from then on */
  constructor(clock: Clock, closed: AbortSignal) {
    this.#clock = clock
    this.#closed = closed
  }

  begin(session: Session): void {
    this.#session = session
    this.#begun.resolve()
    this.#begun = settler()
  }

  /** @throws WslbError `WSLB_RELAY_AWAY` or `WSLB_RELAY_REFUSED` when that goes on for half a minute; `WSLB_CLOSED` */
  async ask<T>(question: (registry: Registry) => Promise<T>): Promise<T> {
    const deadline = this.#clock.now() + PATIENCE
    for (;;) {
      const session = await this.#current(deadline)
      try {
        return await question(session.registry)
      } catch (error) {
        const passes = error instanceof SessionOver || error instanceof Refused
        if (!this.#closed.aborted && (!passes || this.#clock.now() >= deadline)) throw error
        if (!session.signal.aborted) await sleep(PAUSE, this.#clock, session.signal).catch(() => {})
      }
    }
  }

  async #current(deadline: number): Promise<Session> {
    for (;;) {
      this.#closed.throwIfAborted()
      const session = this.#session
      if (session && !session.signal.aborted) return session
      const left = deadline - this.#clock.now()
      if (left <= 0) throw new WslbError('WSLB_RELAY_AWAY', `no Redis master for ${PATIENCE / 1_000} s`)
      const settled = new AbortController()
      const pause = sleep(left, this.#clock, settled.signal).catch(() => {})
      try {
        await untilAborted(Promise.race([this.#begun.promise, pause]), this.#closed)
      } finally {
        settled.abort()
      }
    }
  }
}

function settler(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
