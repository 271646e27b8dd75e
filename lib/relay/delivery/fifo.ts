/** First in, first out; also looked at in the middle. */
export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  /** The oldest one. */
  get first(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.size === 0) return undefined
    this.#head++
    // Moved together when half of it is empty: O(1) on average.
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** @param index 0 for the oldest */
  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  /** @param end how many at most */
  slice(start: number, end: number): T[] {
    return this.#items.slice(this.#head + start, this.#head + end)
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = this.#head; index < this.#items.length; index++) yield this.#items[index]!
  }
}
