import { type Backend } from '../core/backend.ts'
import { type Timer } from '../core/clock.ts'
import { WslbError, messageOf } from '../core/errors.ts'
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
  #running: AbortController | undefined
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
    const { interval, debounce } = this.#options
    this.#options = options
    this.#state.options = options
    // Only then: a reload that changes something else must not put a probe off.
    const otherPace = interval !== options.interval || debounce !== options.debounce
    if (otherPace && !this.#running && !this.#stopped) this.#schedule(this.#period())
  }

  /** The first probe comes soon, but not the first probes of all backends in the same millisecond. */
  start(): void {
    this.#schedule(this.#deps.random() * Math.min(this.#options.interval, 1_000))
  }

  /** A failure seen by traffic; the first one is followed up by a probe at once. */
  report(reason: string): void {
    const wasUp = this.#backend.health === 'up'
    this.#state.failed(reason)
    if (wasUp && !this.#running) this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#running?.abort(new Error('the backend is no longer watched'))
    this.#state.stop()
  }

  #schedule(delay: number): void {
    this.#timer?.cancel()
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
    this.#running = undefined
    if (this.#stopped) return
    if (!failure) this.#state.succeeded()
    else if (!isOurOwn(failure.error)) this.#state.failed(`probe: ${messageOf(failure.error)}`)
    this.#schedule(Math.max(0, this.#period() - (clock.now() - startedAt)))
  }

  /** A suspect backend is asked often enough to be cleared well before the debounce has passed. */
  #period(): number {
    const { interval, debounce } = this.#options
    const period =
      this.#backend.health === 'suspect' ? Math.min(interval, Math.max(debounce / 10, 100)) : interval
    return period * (0.9 + 0.2 * this.#deps.random())
  }
}

/** A shortage of this machine (too many open files) says nothing about the backend. */
function isOurOwn(error: unknown): boolean {
  return error instanceof WslbError && error.blame !== 'backend'
}
