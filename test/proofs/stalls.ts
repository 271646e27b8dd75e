const TICK = 10

/** For how long this machine has not let us run: what seems late by then may be late here. */
export class Stalls {
  #longest = 0

  constructor() {
    let last = performance.now()
    const look = () => {
      const now = performance.now()
      this.#longest = Math.max(this.#longest, now - last - TICK)
      last = now
    }
    setInterval(look, TICK).unref()
  }

  /** In milliseconds. */
  get longest(): number {
    return this.#longest
  }
}
