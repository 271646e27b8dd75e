import { isDeepStrictEqual } from 'node:util'
import { type Backend } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { STALL, type Timer } from '../core/clock.ts'
import { backendClosed, isWslbError, messageOf } from '../core/errors.ts'
import { type MonitorDependencies } from './monitor.ts'
import { type HealthOptions } from './options.ts'
import { type Probe } from './probe.ts'
import { describeTimeout, probeOf } from './probe-of.ts'
import { HealthState, type Transition } from './state.ts'
import { type Turns } from './turns.ts'

export interface LoopDependencies extends MonitorDependencies {
  /** So that not all backends are asked at a time. */
  readonly turns: Turns
  readonly onTransition: (transition: Transition) => void
}

/** Probes one backend for as long as it belongs to the pool, never twice at a time. */
export class ProbeLoop {
  readonly #backend: Backend
  readonly #deps: LoopDependencies
  readonly #state: HealthState
  #options: HealthOptions
  #probe: Probe | undefined
  #timer: Timer | undefined
  #dueAt = 0
  /** A probe is under way, or waits for its turn. */
  #turn: Cancellable | undefined
  #running: AbortController | undefined
  /** The next probe comes when its place in the interval says so. */
  #settling: number | undefined
  /** Health has changed since the probe before the last one. */
  #hasChanged = false
  #wasReported = false
  /** Who wants to know when it is up. */
  readonly #waiting = new Set<(failure?: unknown) => void>()
  #stopped = false

  constructor(backend: Backend, options: HealthOptions, deps: LoopDependencies) {
    this.#backend = backend
    this.#options = options
    this.#deps = deps
    this.#state = new HealthState(backend, options, deps.clock, (transition) => {
      this.#hasChanged = true
      deps.onTransition(transition)
    })
  }

  set options(options: HealthOptions) {
    // Each change of the list of backends says it again of those that stay.
    if (options === this.#options || isDeepStrictEqual(options, this.#options)) return
    this.#options = options
    this.#probe = undefined
    this.#state.options = options
    if (this.#turn || this.#stopped) return
    // Perhaps the probe itself was mended: a backend that is not up is asked soon. But no reload puts a probe off.
    const soon = this.#deps.random() * Math.min(options.interval.up, SOON)
    const delay = this.#backend.health === 'up' ? this.#period() : soon
    if (this.#deps.clock.now() + delay < this.#dueAt) this.#schedule(delay)
  }

  /** @param first milliseconds to the first probe @param second from there to the second, unless it is urgent */
  start(first: number, second: number): void {
    this.#settling = second
    this.#schedule(first)
  }

  /** A failure seen by traffic; the first one is followed up by a probe at once, or soon where it is on its way back. */
  report(reason: string): void {
    const { health } = this.#backend
    const isComing = this.#state.left !== undefined && !this.#wasReported
    // However many requests fail of one cause, until a probe has answered it is one failure.
    this.#state.reported(reason, this.#wasReported)
    this.#wasReported = true
    if (this.#turn) return
    if (health === 'up') this.#schedule(0)
    else if (isComing && this.#dueAt - this.#deps.clock.now() > RECHECK) this.#schedule(RECHECK)
  }

  /** Probes at once; what a probe under way has seen may be out of date. */
  ask(): void {
    this.#giveUp()
    this.#schedule(0)
  }

  /** What it did before does not count against it any more. */
  forgive(): void {
    this.#state.forgive()
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
    this.#turn?.cancel()
    this.#turn = undefined
  }

  #schedule(delay: number): void {
    if (this.#stopped) return
    this.#timer?.cancel()
    this.#dueAt = this.#deps.clock.now() + delay
    this.#timer = this.#deps.clock.schedule(delay, () => {
      this.#turn = this.#deps.turns.take(() => void this.#ask())
    })
  }

  async #ask(): Promise<void> {
    const { clock } = this.#deps
    const { timeout } = this.#options
    const startedAt = clock.now()
    const wasLate = startedAt - this.#dueAt > STALL
    const running = (this.#running = new AbortController())
    const { signal } = running
    const timer = clock.schedule(timeout, () =>
      running.abort(new Error(describeTimeout(this.#options, timeout))),
    )
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    const failure = await Promise.race([aborted, this.#run(signal)]).then(
      () => undefined,
      (error: unknown) => ({ error: signal.aborted ? (signal.reason as unknown) : error }),
    )
    timer.cancel()
    if (this.#running !== running) return
    this.#running = undefined
    this.#turn?.cancel()
    this.#turn = undefined
    this.#learn(failure, clock.now() - startedAt)
    this.#schedule(Math.max(0, this.#next(wasLate) - (clock.now() - startedAt)))
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, dial } = this.#deps
    const { port } = this.#options
    const { url, settings } = this.#backend
    const { hostname, host } = url
    this.#probe ??= probeOf(this.#options)
    await this.#probe(this.#backend, {
      signal,
      clock,
      dial: () => dial(this.#backend, signal, port),
      host: settings.host ?? (port === undefined ? host : `${hostname}:${port}`),
    })
  }

  #learn(failure: { readonly error: unknown } | undefined, duration: number): void {
    const text = failure ? messageOf(failure.error) : null
    this.#backend.lastProbe = { at: this.#deps.clock.wallTime(), duration, failure: text }
    this.#wasReported = false
    if (!failure) this.#state.succeeded()
    else if (isOurOwn(failure.error)) this.#state.unknown()
    else this.#state.failed(`probe: ${text}`)
    if (!failure || !isOurOwn(failure.error)) this.#deps.onProbe?.(this.#backend, !failure)
    if (!failure && this.#backend.health === 'up') for (const settle of this.#waiting) settle()
  }

  /** Milliseconds from the beginning of this probe to that of the next one. */
  #next(wasLate: boolean): number {
    const settling = this.#settling
    const hasChanged = this.#hasChanged
    this.#settling = undefined
    this.#hasChanged = false
    const { health } = this.#backend
    if (health !== 'suspect' && this.#waiting.size === 0) {
      if (settling !== undefined && health === 'up') return settling
      // Whoever was late, or changed, was so together with others: the next probes are not to come together too.
      if (wasLate || hasChanged)
        return Math.min(this.#period() * this.#deps.random(), this.#state.left ?? Infinity)
    }
    return Math.min(this.#period(), this.#state.left ?? Infinity)
  }

  /** A suspect backend is asked often enough to be cleared well before the debounce has passed; so is an awaited one. */
  #period(): number {
    const { interval, debounce } = this.#options
    const { up, suspect = Math.min(up, Math.max(debounce / 10, 100)), down = up } = interval
    const { health } = this.#backend
    const plain = health === 'suspect' ? suspect : health === 'down' ? down : up
    const period = this.#waiting.size > 0 ? Math.min(plain, suspect) : plain
    return period * (0.9 + 0.2 * this.#deps.random())
  }
}

/** Milliseconds. */
const SOON = 1_000
const RECHECK = 100

/** A shortage of this machine (too many open files) says nothing about the backend. */
function isOurOwn(error: unknown): boolean {
  return isWslbError(error) && error.blame === 'internal'
}
