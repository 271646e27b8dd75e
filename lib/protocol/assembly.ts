const NOTHING = Buffer.alloc(0)

/** Bytes put together in one growing buffer: however small the parts, it holds twice of what has come at most. */
export class Assembly {
  #bytes = NOTHING
  length = 0

  append(part: Uint8Array): void {
    const length = this.length + part.length
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length))
      grown.set(this.#bytes.subarray(0, this.length))
      this.#bytes = grown
    }
    this.#bytes.set(part, this.length)
    this.length = length
  }

  /** Hands over what has come, and begins anew. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length)
    this.clear()
    return taken
  }

  clear(): void {
    this.#bytes = NOTHING
    this.length = 0
  }
}
