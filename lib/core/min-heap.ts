/** A binary heap: the least item is on top, and everything else costs the logarithm of how many there are. */
export class MinHeap<T> {
  readonly #items: T[]
  readonly #isBefore: (a: T, b: T) => boolean

  /** @param isBefore a strict order; may read what changes, as long as {@link sinkTop} follows */
  constructor(items: Iterable<T>, isBefore: (a: T, b: T) => boolean) {
    this.#items = [...items]
    this.#isBefore = isBefore
    for (let index = this.#items.length >>> 1; index-- > 0;) this.#sink(index)
  }

  get size(): number {
    return this.#items.length
  }

  get top(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    const items = this.#items
    let index = items.length
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!this.#isBefore(item, items[parent]!)) break
      items[index] = items[parent]!
      index = parent
    }
    items[index] = item
  }

  pop(): T | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (items.length > 0) {
      items[0] = last!
      this.#sink(0)
    }
    return top
  }

  /** To be called when the item on top has become greater. */
  sinkTop(): void {
    if (this.#items.length > 1) this.#sink(0)
  }

  #sink(from: number): void {
    const items = this.#items
    const { length } = items
    const item = items[from]!
    let index = from
    for (;;) {
      let child = 2 * index + 1
      if (child >= length) break
      if (child + 1 < length && this.#isBefore(items[child + 1]!, items[child]!)) child++
      if (!this.#isBefore(items[child]!, item)) break
      items[index] = items[child]!
      index = child
    }
    items[index] = item
  }
}
