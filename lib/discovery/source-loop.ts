import { setImmediate } from 'node:timers/promises'
import { type Clock, type Random } from '../core/clock.ts'
import { sleep } from '../core/sleep.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { type SourceOf } from './source.ts'

/** Milliseconds before a source that threw or ended is begun anew: twice as long each time, ±10 %. */
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

/** Lists without a turn of the event loop in between: a source that never waits must not keep everybody waiting. */
const BURST = 16

export interface SourceLoopDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly onList: (list: unknown) => void
  readonly onFailure: (error: unknown) => void
}

/** Reads one source until it is stopped, whatever the source does. */
export class SourceLoop {
  readonly #source: SourceOf<unknown>
  readonly #deps: SourceLoopDependencies
  readonly #controller = new AbortController()

  constructor(source: SourceOf<unknown>, deps: SourceLoopDependencies) {
    this.#source = source
    this.#deps = deps
  }

  start(): void {
    void this.#run(this.#controller.signal)
  }

  /** For good. Nothing is told any more from now on. */
  stop(): void {
    this.#controller.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, onFailure } = this.#deps
    let pause = FIRST_PAUSE
    while (!signal.aborted) {
      const startedAt = clock.now()
      const { trouble } = await this.#read(signal)
      if (signal.aborted) return
      onFailure(trouble)
      // Who lasted longer than the pause before has recovered meanwhile.
      if (clock.now() - startedAt > pause) pause = FIRST_PAUSE
      await sleep(pause * (0.9 + 0.2 * random()), clock, signal).catch(() => {})
      pause = Math.min(2 * pause, LONGEST_PAUSE)
    }
  }

  /** @returns why it is over; in an object, for it may be a thenable, which nobody is to wait for */
  async #read(signal: AbortSignal): Promise<{ readonly trouble: unknown }> {
    const { clock, random, onList, onFailure } = this.#deps
    const report = (error: unknown) => {
      if (!signal.aborted) onFailure(error)
    }
    let lists = 0
    let iterator: AsyncIterator<unknown> | undefined
    try {
      iterator = iteratorOf(this.#source.watch({ signal, clock, random, report }))
      for (;;) {
        const result: unknown = await untilAborted(iterator.next(), signal)
        if (!isResult(result)) return { trouble: new TypeError('its next() gave no result') }
        if (result.done) return { trouble: new Error('it has ended') }
        onList(result.value)
        if (++lists % BURST === 0) await setImmediate()
      }
    } catch (error) {
      return { trouble: error }
    } finally {
      // It need not end by itself, nor be asked in vain: a generator that waits answers when it has waited.
      if (signal.aborted && iterator) giveBack(iterator)
    }
  }
}

function iteratorOf(lists: unknown): AsyncIterator<unknown> {
  const iterable = lists as AsyncIterable<unknown> | null | undefined
  if (typeof iterable?.[Symbol.asyncIterator] !== 'function') {
    throw new TypeError('its watch() gave no async iterable')
  }
  return iterable[Symbol.asyncIterator]()
}

function isResult(result: unknown): result is IteratorResult<unknown> {
  return typeof result === 'object' && result !== null
}

function giveBack(iterator: AsyncIterator<unknown>): void {
  try {
    iterator.return?.().then(undefined, () => {})
  } catch {
    // Nobody is left who would want to know.
  }
}
