import { type Digest } from './digest.ts'

/** Places, two a key may have; a power of two. */
const SIZE = 2 ** 16

/** Who won which key, of the keys seen lately: whoever comes to a place later has it, and who was there the one beside it. */
export class WinnerMemo<T> {
  readonly #high = new Int32Array(SIZE)
  readonly #low = new Int32Array(SIZE)
  readonly #winners = new Array<T | undefined>(SIZE)

  get({ high, low }: Digest): T | undefined {
    const place = placeOf(high)
    if (this.#high[place] === high && this.#low[place] === low) return this.#winners[place]
    const beside = place + 1
    return this.#high[beside] === high && this.#low[beside] === low ? this.#winners[beside] : undefined
  }

  set({ high, low }: Digest, winner: T): T {
    const place = placeOf(high)
    const beside = place + 1
    this.#high[beside] = this.#high[place]!
    this.#low[beside] = this.#low[place]!
    this.#winners[beside] = this.#winners[place]
    this.#high[place] = high
    this.#low[place] = low
    this.#winners[place] = winner
    return winner
  }
}

function placeOf(high: number): number {
  return high & (SIZE - 2)
}
