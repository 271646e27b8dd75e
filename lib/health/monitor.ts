import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type HealthOptions } from './options.ts'
import { ProbeLoop } from './probe-loop.ts'
import { type Transition } from './state.ts'
import { Turns } from './turns.ts'

/** Probes of one pool that run at a time: each has a connection, and this process needs others too. */
const MOST_AT_A_TIME = 256
/** A small pool is known within a second; a large one is not asked faster than a hundred backends a second. */
const FIRST_ROUND = 1_000
const APART = 10

/** Opens a fresh connection for a probe, perhaps to another port; must not keep the process alive. */
export type Dial = (backend: Backend, signal: AbortSignal, port: number | undefined) => Promise<Duplex>

export interface MonitorDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
  /** Told what each probe has found out, when its health says so. */
  readonly onProbe?: (backend: Backend, isWell: boolean) => void
}

/** The health loop of one pool: a {@link ProbeLoop} for each backend, and the ear for what traffic has to tell. */
export class HealthMonitor {
  readonly #pool: string
  readonly #deps: MonitorDependencies
  readonly #onChange: (backend: Backend) => void
  readonly #loops = new Map<Backend, ProbeLoop>()
  readonly #turns = new Turns(MOST_AT_A_TIME)

  /** @param onChange called whenever the health of a backend has changed, before anybody is told */
  constructor(pool: string, deps: MonitorDependencies, onChange: (backend: Backend) => void) {
    this.#pool = pool
    this.#deps = deps
    this.#onChange = onChange
  }

  /**
   * Says who is watched, and how: loops begin, end, or go on with other options from the next probe on. A debounce under
   * way keeps its length.
   */
  watch(options: ReadonlyMap<Backend, HealthOptions>): void {
    for (const backend of [...this.#loops.keys()]) if (!options.has(backend)) this.forget(backend)
    const fresh: ProbeLoop[] = []
    const intervals: number[] = []
    for (const [backend, own] of options) {
      const known = this.#loops.get(backend)
      if (known) {
        known.options = own
        continue
      }
      const onTransition = (transition: Transition) => this.#changed(backend, transition)
      const loop = new ProbeLoop(backend, own, { ...this.#deps, turns: this.#turns, onTransition })
      this.#loops.set(backend, loop)
      fresh.push(loop)
      intervals.push(own.interval.up)
    }
    this.#begin(fresh, intervals)
  }

  /** Each has its place: in a first round that is short where they are few, from then on in the whole interval. */
  #begin(loops: readonly ProbeLoop[], intervals: readonly number[]): void {
    for (const [index, loop] of loops.entries()) {
      const place = (index + this.#deps.random()) / loops.length
      const interval = intervals[index]!
      const round = Math.min(interval, Math.max(FIRST_ROUND, loops.length * APART))
      loop.start(place * round, round + place * (interval - round))
    }
  }

  /** Trouble seen by traffic: refused, timed out, reset before a response byte. */
  report(backend: Backend, reason: string): void {
    this.#loops.get(backend)?.report(reason)
  }

  /** Probes it at once because it is wanted again; how often it has come and gone before does not count. */
  ask(backend: Backend): void {
    const loop = this.#loops.get(backend)
    loop?.forgive()
    loop?.ask()
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
    // Or those who wait would begin as the others end.
    this.#turns.clear()
    for (const backend of [...this.#loops.keys()]) this.forget(backend)
  }

  #changed(backend: Backend, { from, to, reason, downFor }: Transition): void {
    const { events } = this.#deps
    const who = { backend: backend.id, pool: this.#pool, reason }
    // What follows from it is told behind it.
    events.after(() => {
      if (to === 'suspect') events.emit('backend:suspect', who)
      if (to === 'down') events.emit('backend:down', who)
      // Back from suspicion is no news: the debounce is there so that nobody is bothered with it.
      if (to === 'up' && from === 'down') events.emit('backend:up', { ...who, downFor })
      this.#onChange(backend)
    })
  }
}
