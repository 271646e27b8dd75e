import { type Cancellable } from './cancellable.ts'

/** A pending call of {@link Clock.schedule}. */
export type Timer = Cancellable

/** Time as an argument: the system's in production, a manual one in tests. */
export interface Clock {
  /** Milliseconds on a monotonic scale; only differences mean something. */
  now(): number
  /** Milliseconds since 1970, like `Date.now()`: for what people read, never for differences. */
  wallTime(): number
  /**
   * Calls `callback` once after `delay` milliseconds.
   * @param keepAlive whether the process waits for it. @default false
   */
  schedule(delay: number, callback: () => void, keepAlive?: boolean): Timer
}

/**
 * How late a timer may come, in milliseconds. Later than that, this process slept or was busy: what its peers have sent
 * meanwhile lies unread, and nobody is judged by it.
 */
export const STALL = 1_000

/** Chance as an argument: a number in [0, 1), like `Math.random`. */
export type Random = () => number

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  schedule(delay, callback, keepAlive = false) {
    const handle = setTimeout(callback, delay)
    if (!keepAlive) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
