/** Milliseconds after a failure in which the next one belongs to the same run: what failed days ago has another cause. */
const LAPSES_AFTER = 300_000
/** No more networks are told apart: what is remembered of clients has an end. */
const MOST_NETWORKS = 1_000

/** Failures of one kind, one after the other, and the networks of the clients that met them. */
export class Run {
  readonly #networks = new Set<string>()
  #count = 0
  #own = 0
  #latest = -Infinity
  #reason = ''

  get count(): number {
    return this.#count
  }

  /** How many networks of clients it was. */
  get networks(): number {
    return this.#networks.size
  }

  /** Of how many failures, and of the latest. */
  get reason(): string {
    return (this.#count > 1 ? `${this.#count} failures in a row, the last: ` : '') + this.#reason
  }

  /** @param network of the client that may have caused it; `undefined`: no client can */
  add(now: number, reason: string, network: string | undefined): void {
    if (this.hasLapsed(now)) this.clear()
    this.#latest = now
    this.#reason = reason
    this.#count++
    if (network === undefined) this.#own++
    else if (this.#networks.size < MOST_NETWORKS) this.#networks.add(network)
  }

  hasLapsed(now: number): boolean {
    return now - this.#latest > LAPSES_AFTER
  }

  /** Whether it says something of the backend: what the clients of one network bring on themselves does not. */
  convicts(failures: number): boolean {
    return this.#own >= failures || (this.#count >= failures && this.#networks.size > 1)
  }

  clear(): void {
    this.#count = this.#own = 0
    this.#networks.clear()
  }
}
