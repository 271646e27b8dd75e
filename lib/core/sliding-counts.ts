/** A window moves on in steps of this part of it: what it counts is exact to a tenth of its length. */
const STEPS = 10

/**
 * How often things of a few kinds have happened within the last while. Takes the same few numbers however much happens,
 * and has no timer: time passes when it is asked.
 */
export class SlidingCounts<Kind extends string> {
  readonly #step: number
  readonly #steps: readonly Record<Kind, number>[]
  readonly #sums: Record<Kind, number>
  #latest = -Infinity

  /** @param window milliseconds */
  constructor(window: number, kinds: readonly Kind[]) {
    const zeros = () => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>
    this.#step = window / STEPS
    this.#steps = Array.from({ length: STEPS }, zeros)
    this.#sums = zeros()
  }

  /** @param now by the clock */
  add(kind: Kind, now: number): void {
    this.#moveTo(now)
    this.#steps[this.#latest % STEPS]![kind]++
    this.#sums[kind]++
  }

  of(kind: Kind, now: number): number {
    this.#moveTo(now)
    return this.#sums[kind]
  }

  #moveTo(now: number): void {
    const step = Math.floor(now / this.#step)
    if (step <= this.#latest) return
    // After a lull of more than a window nothing is left; no step is emptied twice.
    for (let next = Math.max(this.#latest + 1, step - STEPS + 1); next <= step; next++) this.#empty(next)
    this.#latest = step
  }

  #empty(step: number): void {
    const counts = this.#steps[step % STEPS]!
    for (const kind in counts) {
      this.#sums[kind] -= counts[kind]
      counts[kind] = 0
    }
  }
}
