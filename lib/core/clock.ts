/** A pending call of {@link Clock.schedule}. */
export interface Timer {
  cancel(): void
}

/** Time as an argument: the system's in production, a manual one in tests. */
export interface Clock {
  /** Milliseconds on a monotonic scale; only differences mean something. */
  now(): number
  /** Calls `callback` once after `delay` milliseconds. Never keeps the process alive. */
  schedule(delay: number, callback: () => void): Timer
}

/** Chance as an argument: a number in [0, 1), like `Math.random`. */
export type Random = () => number

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(delay, callback) {
    const handle = setTimeout(callback, delay).unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
