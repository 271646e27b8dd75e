import { type Backend } from '../core/backend.ts'

/** Upgrades that wait for a token of their backend. */
export class Waits {
  readonly #ends = new Map<Backend, Set<() => void>>()

  /** @param end called when the wait is over before its time; it calls {@link delete} */
  add(backend: Backend, end: () => void): void {
    const ends = this.#ends.get(backend)
    if (ends) ends.add(end)
    else this.#ends.set(backend, new Set([end]))
    backend.waiting++
  }

  delete(backend: Backend, end: () => void): void {
    const ends = this.#ends.get(backend)
    if (!ends?.delete(end)) return
    if (ends.size === 0) this.#ends.delete(backend)
    backend.waiting--
  }

  /** The last to come leaves first: so every token can be given back, and who comes later finds none taken. */
  end(backend: Backend): void {
    for (const end of [...(this.#ends.get(backend) ?? [])].reverse()) end()
  }

  endAll(): void {
    for (const backend of [...this.#ends.keys()]) this.end(backend)
  }
}
