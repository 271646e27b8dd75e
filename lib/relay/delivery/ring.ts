import { type Entry } from '../session/entry.ts'

const LENGTH = 256
const BYTES = 1 << 20

/** The last entries of a feed, for those who fell behind a little. It keeps nothing while nobody has. */
export class Ring {
  #entries: Entry[] = []
  #bytes = 0
  #users = 0

  /** Somebody falls behind: what comes from now on is kept. */
  hold(): void {
    this.#users++
  }

  release(): void {
    this.#users--
    if (this.#users === 0) this.clear()
  }

  push(entry: Entry): void {
    if (this.#users === 0) return
    this.#entries.push(entry)
    this.#bytes += entry.body.length
    if (this.#entries.length > LENGTH || this.#bytes > BYTES) this.clear()
  }

  /** All that comes behind the offset, which is something; `undefined` where that is not all here. */
  after(offset: number): readonly Entry[] | undefined {
    const [first, last] = [this.#entries[0], this.#entries.at(-1)]
    if (!first || first.offset > offset + 1 || last!.offset <= offset) return undefined
    return this.#entries.slice(offset + 1 - first.offset)
  }

  clear(): void {
    this.#entries = []
    this.#bytes = 0
  }
}
