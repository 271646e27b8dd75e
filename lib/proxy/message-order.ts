import { type Clock, type Timer } from '../core/clock.ts'

/** What is done when everything before it has been. */
export type Step = () => void

/** A place in the order. Without a step it is not known yet what is to be done. */
export interface Place {
  readonly since: number
  step: Step | undefined
}

export interface MessageOrderOptions {
  readonly clock: Clock
  /** Milliseconds that a place may take to be settled, as of now. */
  readonly timeout: () => number
  /** The first one has not been settled in time. */
  readonly onLate: () => void
}

/** Steps in the order in which their places were taken, however late each becomes known. One timer for all. */
export class MessageOrder {
  readonly #options: MessageOrderOptions
  readonly #places: Place[] = []
  #timer: Timer | undefined

  constructor(options: MessageOrderOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#places.length
  }

  /** Behind everything that waits; at once where nothing does. */
  add(step: Step): void {
    if (this.#places.length === 0) step()
    else this.#places.push({ since: 0, step })
  }

  /** Takes a place for a step that will be known later, by {@link settle}. */
  reserve(): Place {
    const { clock, timeout } = this.#options
    const place: Place = { since: clock.now(), step: undefined }
    this.#places.push(place)
    this.#timer ??= clock.schedule(timeout(), this.#look)
    return place
  }

  /** @returns whether that was what the others had waited for: some steps have been done */
  settle(place: Place, step: Step): boolean {
    place.step = step
    if (this.#places[0] !== place) return false
    for (let next: Step | undefined; (next = this.#places[0]?.step);) {
      this.#places.shift()
      next()
    }
    return true
  }

  clear(): void {
    this.#places.length = 0
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Whoever is first has been waited for longest. */
  readonly #look = (): void => {
    const { clock, timeout, onLate } = this.#options
    this.#timer = undefined
    const [first] = this.#places
    if (!first) return
    const left = first.since + timeout() - clock.now()
    if (left > 0) this.#timer = clock.schedule(left, this.#look)
    else onLate()
  }
}
