import { type EjectionOptions } from './ejection-options.ts'

/** How long a backend is out: longer each time, and less again for good conduct. */
export class Penalty {
  #level = 0
  #since = 0

  /** @returns milliseconds */
  next(options: EjectionOptions, now: number): number {
    this.#forgive(options, now)
    return spanOf(++this.#level, options)
  }

  /** It is back. */
  end(now: number): void {
    this.#since = now
  }

  /** A step for each time that it has behaved for as long as it was out. */
  #forgive(options: EjectionOptions, now: number): void {
    let behaved = now - this.#since
    while (this.#level > 0 && behaved >= spanOf(this.#level, options)) {
      behaved -= spanOf(this.#level, options)
      this.#level--
    }
  }
}

function spanOf(level: number, { time, maxTime }: EjectionOptions): number {
  return Math.min(maxTime, time * 2 ** (level - 1))
}
