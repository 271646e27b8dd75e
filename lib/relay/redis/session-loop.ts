import { type Clock, type Random } from '../../core/clock.ts'
import { type WslbError } from '../../core/errors.ts'
import { sleep } from '../../core/sleep.ts'
import { type SessionEvents, type Transport } from '../session/session.ts'
import { type RedisSession } from './redis-session.ts'
import { troubleWith } from './redis-trouble.ts'

/** Milliseconds before the first attempt after an end; doubled after each that failed. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 1_000
/** A session that lasts as long has not failed. */
const LASTING = 1_000

export interface SessionLoopOptions {
  readonly kind: string
  readonly clock: Clock
  readonly random: Random
  /** One attempt. */
  begin(events: SessionEvents, signal: AbortSignal): Promise<RedisSession>
  /** Waits between two attempts. @default so many milliseconds */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>
  /** When the last session has ended. */
  readonly closed?: () => Promise<void>
}

/** Session after session, until it is closed. */
export class SessionLoop implements Transport {
  readonly kind: string
  readonly #options: SessionLoopOptions
  readonly #closing = new AbortController()
  #trouble: WslbError | undefined
  #running: Promise<void> | undefined

  constructor(options: SessionLoopOptions) {
    this.kind = options.kind
    this.#options = options
  }

  open(events: SessionEvents): void {
    this.#running ??= this.#run(events)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
    await this.#options.closed?.()
  }

  async #run(events: SessionEvents): Promise<void> {
    const { signal } = this.#closing
    const { clock, random } = this.#options
    // A relay keeps its process alive until it is closed, between two connections too.
    const wait = this.#options.pause ?? ((ms: number) => sleep(ms, clock, signal, true))
    let pause = FIRST_PAUSE
    while (!signal.aborted) {
      const began = clock.now()
      try {
        await this.#one(events, signal)
      } catch (error) {
        if (!signal.aborted) this.#complain(events, troubleWith(this.kind, error))
      }
      if (clock.now() - began > LASTING) pause = FIRST_PAUSE
      await wait(pause * (0.5 + random() / 2), signal).catch(() => {})
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    }
  }

  /** @throws why it could not begin, or has ended */
  async #one(events: SessionEvents, signal: AbortSignal): Promise<void> {
    const session = await this.#options.begin(events, signal)
    const close = () => session.end('the relay is closed')
    signal.addEventListener('abort', close)
    try {
      if (signal.aborted) close()
      this.#complain(events, undefined)
      events.begun(session)
      await new Promise((_resolve, reject) => {
        const over = () => reject(session.signal.reason)
        if (session.signal.aborted) over()
        else session.signal.addEventListener('abort', over, { once: true })
      })
    } finally {
      signal.removeEventListener('abort', close)
      session.end('the session was left')
    }
  }

  /** Told when it changes. */
  #complain(events: SessionEvents, trouble: WslbError | undefined): void {
    if (trouble?.message === this.#trouble?.message) return
    this.#trouble = trouble
    events.trouble(trouble)
  }
}
