import { type Duplex } from 'node:stream'
import { type Backend, type Health } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type HealthOptions } from './options.ts'
import { ProbeLoop } from './probe-loop.ts'

/** Opens a fresh connection for a probe; must not keep the process alive. */
export type Dial = (backend: Backend, signal: AbortSignal) => Promise<Duplex>

export interface MonitorDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
}

/** The health loop of one pool: a {@link ProbeLoop} for each backend, and the ear for what traffic has to tell. */
export class HealthMonitor {
  readonly #pool: string
  readonly #deps: MonitorDependencies
  readonly #onChange: (backend: Backend) => void
  readonly #loops = new Map<Backend, ProbeLoop>()
  #options: HealthOptions

  /** @param onChange called whenever the health of a backend has changed, before anybody is told */
  constructor(
    pool: string,
    options: HealthOptions,
    deps: MonitorDependencies,
    onChange: (backend: Backend) => void,
  ) {
    this.#pool = pool
    this.#options = options
    this.#deps = deps
    this.#onChange = onChange
  }

  /** New options count from the next probe on; a debounce under way keeps its length. */
  set options(options: HealthOptions) {
    this.#options = options
    for (const loop of this.#loops.values()) loop.options = options
  }

  /** Starts the loops of those that have none. */
  watch(backends: Iterable<Backend>): void {
    for (const backend of backends) {
      if (this.#loops.has(backend)) continue
      const loop = new ProbeLoop(backend, this.#options, this.#deps, (from, to, reason) =>
        this.#changed(backend, from, to, reason),
      )
      this.#loops.set(backend, loop)
      loop.start()
    }
  }

  /** Trouble seen by traffic: refused, timed out, reset before a response byte. */
  report(backend: Backend, reason: string): void {
    this.#loops.get(backend)?.report(reason)
  }

  /** Probes it at once, e.g. because it is wanted again. */
  ask(backend: Backend): void {
    this.#loops.get(backend)?.ask()
  }

  /** Probes it at once. @returns settles when it is up; one that has no loop is taken for up. @throws see ProbeLoop */
  async whenUp(backend: Backend, signal?: AbortSignal): Promise<void> {
    await this.#loops.get(backend)?.whenUp(signal)
  }

  forget(backend: Backend): void {
    this.#loops.get(backend)?.stop()
    this.#loops.delete(backend)
  }

  stop(): void {
    for (const backend of [...this.#loops.keys()]) this.forget(backend)
  }

  #changed(backend: Backend, from: Health, to: Health, reason: string): void {
    const { events } = this.#deps
    const who = { backend: backend.id, pool: this.#pool }
    // What follows from it is told behind it.
    events.after(() => {
      if (to === 'suspect') events.emit('backend:suspect', { ...who, reason })
      if (to === 'down') events.emit('backend:down', { ...who, reason })
      // Back from suspicion is no news: the debounce is there so that nobody is bothered with it.
      if (to === 'up' && from === 'down') events.emit('backend:up', who)
      this.#onChange(backend)
    })
  }
}
