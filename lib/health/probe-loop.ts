import { type Backend } from '../core/backend.ts'
import { type Timer } from '../core/clock.ts'
import { backendClosed, isWslbError, messageOf } from '../core/errors.ts'
import { type MonitorDependencies } from './monitor.ts'
import { type HealthOptions } from './options.ts'
import { HealthState, type OnTransition } from './state.ts'

/** Probes one backend for as long as it belongs to the pool, never twice at a time. */
export class ProbeLoop {
  readonly #backend: Backend
  readonly #deps: MonitorDependencies
  readonly #state: HealthState
  #options: HealthOptions
  #timer: Timer | undefined
  #dueAt = 0
  #running: AbortController | undefined
  /** Who wants to know when it is up. */
  readonly #waiting = new Set<(failure?: unknown) => void>()
  #stopped = false

  constructor(
    backend: Backend,
    options: HealthOptions,
    deps: MonitorDependencies,
    onTransition: OnTransition,
  ) {
    this.#backend = backend
    this.#options = options
    this.#deps = deps
    this.#state = new HealthState(backend, options, deps.clock, onTransition)
  }

  set options(options: HealthOptions) {
    this.#options = options
    this.#state.options = options
    if (this.#running || this.#stopped) return
    // Perhaps the probe itself was mended: a backend that is not up is asked soon. But no reload puts a probe off.
    const delay = this.#backend.health === 'up' ? this.#period() : this.#soon()
    if (this.#deps.clock.now() + delay < this.#dueAt) this.#schedule(delay)
  }

  /** The first probe comes soon, but not the first probes of all backends in the same millisecond. */
  start(): void {
    this.#schedule(this.#soon())
  }

  /** A failure seen by traffic; the first one is followed up by a probe at once. */
  report(reason: string): void {
    const wasUp = this.#backend.health === 'up'
    this.#state.failed(reason)
    if (wasUp && !this.#running) this.#schedule(0)
  }

  /** Probes at once; what a probe under way has seen may be out of date. */
  ask(): void {
    this.#giveUp()
    this.#schedule(0)
  }

  /**
   * Probes at once, and as long as it takes.
   * @returns settles when the backend has answered and is up
   * @throws the reason of the signal; WslbError `WSLB_CLOSED` when it is no longer watched
   */
  async whenUp(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.ask()
    await new Promise<void>((resolve, reject) => {
      const giveUp = () => settle(signal!.reason)
      const settle = (failure?: unknown) => {
        signal?.removeEventListener('abort', giveUp)
        this.#waiting.delete(settle)
        if (failure === undefined) resolve()
        else reject(failure)
      }
      signal?.addEventListener('abort', giveUp)
      this.#waiting.add(settle)
    })
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#giveUp()
    for (const settle of this.#waiting) settle(backendClosed(this.#backend, false))
    this.#state.stop()
  }

  /** Whatever a probe under way finds out is of no interest. */
  #giveUp(): void {
    this.#running?.abort()
    this.#running = undefined
  }

  #schedule(delay: number): void {
    if (this.#stopped) return
    this.#timer?.cancel()
    this.#dueAt = this.#deps.clock.now() + delay
    this.#timer = this.#deps.clock.schedule(delay, () => void this.#probe())
  }

  async #probe(): Promise<void> {
    const { clock, dial } = this.#deps
    const { probe, timeout } = this.#options
    const startedAt = clock.now()
    const running = (this.#running = new AbortController())
    const { signal } = running
    const timer = clock.schedule(timeout, () => running.abort(new Error(`no answer within ${timeout} ms`)))
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    const asked = (async () => probe(this.#backend, { signal, dial: () => dial(this.#backend, signal) }))()
    const failure = await Promise.race([aborted, asked]).then(
      () => undefined,
      (error: unknown) => ({ error: signal.aborted ? (signal.reason as unknown) : error }),
    )
    timer.cancel()
    if (this.#running !== running) return
    this.#running = undefined
    if (!failure) this.#state.succeeded()
    else if (isOurOwn(failure.error)) this.#state.unknown()
    else this.#state.failed(`probe: ${messageOf(failure.error)}`)
    if (!failure && this.#backend.health === 'up') for (const settle of this.#waiting) settle()
    this.#schedule(Math.max(0, this.#period() - (clock.now() - startedAt)))
  }

  #soon(): number {
    return this.#deps.random() * Math.min(this.#options.interval, 1_000)
  }

  /** A suspect backend is asked often enough to be cleared well before the debounce has passed; so is an awaited one. */
  #period(): number {
    const { interval, debounce } = this.#options
    const isUrgent = this.#backend.health === 'suspect' || this.#waiting.size > 0
    const period = isUrgent ? Math.min(interval, Math.max(debounce / 10, 100)) : interval
    return period * (0.9 + 0.2 * this.#deps.random())
  }
}

/** A shortage of this machine (too many open files) says nothing about the backend. */
function isOurOwn(error: unknown): boolean {
  return isWslbError(error) && error.blame !== 'backend'
}
