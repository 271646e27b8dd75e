import { type Cancellable } from '../core/cancellable.ts'

/** So many at a time, the others in the order in which they came. */
export class Turns {
  #free: number
  readonly #queue = new Set<() => void>()

  constructor(limit: number) {
    this.#free = limit
  }

  /** Calls `begin` when there is a place, mostly at once. @returns `cancel()` gives up the place, or the wait for it */
  take(begin: () => void): Cancellable {
    let holds = false
    const start = () => {
      holds = true
      begin()
    }
    if (this.#free > 0) {
      this.#free--
      start()
    } else {
      this.#queue.add(start)
    }
    return {
      cancel: () => {
        if (holds) this.#leave()
        else this.#queue.delete(start)
        holds = false
      },
    }
  }

  /** Nobody who waits has a turn any more. */
  clear(): void {
    this.#queue.clear()
  }

  #leave(): void {
    const [next] = this.#queue
    if (!next) {
      this.#free++
      return
    }
    this.#queue.delete(next)
    next()
  }
}
