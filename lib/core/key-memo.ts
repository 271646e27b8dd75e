import { type Digest } from './digest.ts'

/** Places, two a key may have; a power of two. */
const SIZE = 2 ** 16

/** What was found for the keys seen lately: whoever comes to a place later has it, and who was there the one beside it. */
export class KeyMemo<T> {
  readonly #high = new Int32Array(SIZE)
  readonly #low = new Int32Array(SIZE)
  readonly #values = new Array<T | undefined>(SIZE)

  get({ high, low }: Digest): T | undefined {
    const place = placeOf(high)
    if (this.#high[place] === high && this.#low[place] === low) return this.#values[place]
    const beside = place + 1
    return this.#high[beside] === high && this.#low[beside] === low ? this.#values[beside] : undefined
  }

  set({ high, low }: Digest, value: T): T {
    const place = placeOf(high)
    const beside = place + 1
    this.#high[beside] = this.#high[place]!
    this.#low[beside] = this.#low[place]!
    this.#values[beside] = this.#values[place]
    this.#high[place] = high
    this.#low[place] = low
    this.#values[place] = value
    return value
  }
}

function placeOf(high: number): number {
  return high & (SIZE - 2)
}
