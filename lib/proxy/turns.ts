import { type Clock, type Timer } from '../core/clock.ts'

/** What is done when its turn has come. */
export type Step = () => void

/** A place in the order. Without a step it is not known yet what is to be done. */
export interface Turn {
  readonly since: number
  step: Step | undefined
}

export interface TurnsOptions {
  readonly clock: Clock
  /** Milliseconds that a turn may take to be settled, as of now. */
  readonly timeout: () => number
  /** The first one has not been settled in time. */
  readonly onLate: () => void
}

/** Steps in the order in which their places were taken, however late each becomes known. One timer for all. */
export class Turns {
  readonly #options: TurnsOptions
  readonly #turns: Turn[] = []
  #timer: Timer | undefined

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#turns.length
  }

  /** Behind everything that waits; at once where nothing does. */
  add(step: Step): void {
    if (this.#turns.length === 0) step()
    else this.#turns.push({ since: 0, step })
  }

  /** Takes a place for a step that will be known later, by {@link settle}. */
  reserve(): Turn {
    const { clock, timeout } = this.#options
    const turn: Turn = { since: clock.now(), step: undefined }
    this.#turns.push(turn)
    this.#timer ??= clock.schedule(timeout(), this.#look)
    return turn
  }

  /** @returns whether that was what the others had waited for: some steps have been done */
  settle(turn: Turn, step: Step): boolean {
    turn.step = step
    if (this.#turns[0] !== turn) return false
    for (let next: Step | undefined; (next = this.#turns[0]?.step);) {
      this.#turns.shift()
      next()
    }
    return true
  }

  clear(): void {
    this.#turns.length = 0
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Whoever is first has been waited for longest. */
  readonly #look = (): void => {
    const { clock, timeout, onLate } = this.#options
    this.#timer = undefined
    const [first] = this.#turns
    if (!first) return
    const left = first.since + timeout() - clock.now()
    if (left > 0) this.#timer = clock.schedule(left, this.#look)
    else onLate()
  }
}
