interface Waiting {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  next: Waiting | undefined
}

/** Lets so many be under way at a time; the others wait in a row, and reject when it is over. */
export class Turnstile {
  readonly #signal: AbortSignal
  #free: number
  #first: Waiting | undefined
  #last: Waiting | undefined

  constructor(places: number, signal: AbortSignal) {
    this.#free = places
    this.#signal = signal
    signal.addEventListener('abort', () => this.#turnAway(), { once: true })
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve, reject) => this.#queue({ resolve, reject, next: undefined }))
    try {
      return await work()
    } finally {
      this.#admit()
    }
  }

  #queue(waiting: Waiting): void {
    if (this.#last) this.#last.next = waiting
    else this.#first = waiting
    this.#last = waiting
  }

  /** Whoever leaves hands on the place. */
  #admit(): void {
    const first = this.#first
    if (!first) {
      this.#free++
      return
    }
    this.#first = first.next
    this.#last = this.#first && this.#last
    first.resolve()
  }

  #turnAway(): void {
    for (let waiting = this.#first; waiting; waiting = waiting.next) waiting.reject(this.#signal.reason)
    this.#first = this.#last = undefined
  }
}
