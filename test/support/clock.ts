import { type Clock, systemClock } from '../../lib/core/clock.ts'

/** Time that passes only when told to. */
export class ManualClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ at: number; callback: () => void }>()

  now(): number {
    return this.#now
  }

  wallTime(): number {
    return this.#now
  }

  schedule(delay: number, callback: () => void): { cancel: () => void } {
    const timer = { at: this.#now + delay, callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Lets time pass, timer by timer; promises that a timer settles are waited for before the next one. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    await settled()
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (!next) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
      await settled()
    }
    this.#now = end
  }

  /** The process sleeps: time passes, and then every timer that has become due comes late. */
  async stall(milliseconds: number): Promise<void> {
    this.#now += milliseconds
    await this.advance(0)
  }
}

/** A turn of the event loop: every promise that can settle has. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The system's clock running `speed` times as fast, so that lingers of seconds pass in a test; counts its timers. */
export class FastClock implements Clock {
  readonly #speed: number
  readonly #timers = new Set<object>()

  constructor(speed: number) {
    this.#speed = speed
  }

  now(): number {
    return systemClock.now() * this.#speed
  }

  wallTime(): number {
    return systemClock.wallTime()
  }

  schedule(delay: number, callback: () => void, keepAlive?: boolean): { cancel: () => void } {
    const timer = systemClock.schedule(
      delay / this.#speed,
      () => {
        this.#timers.delete(timer)
        callback()
      },
      keepAlive,
    )
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
    }
  }

  get pending(): number {
    return this.#timers.size
  }
}
