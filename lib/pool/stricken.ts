import { type Backend } from '../core/backend.ts'
import { isOut } from './is-out.ts'

/** Milliseconds for which a failure stands if nothing is heard of the backend after it. */
const STANDS = 10_000

/** The backends of which traffic has heard last that they fail. Knows of an outage as it begins, before any retry has ended. */
export class Stricken {
  readonly #failedAt = new WeakMap<Backend, number>()

  failed(backend: Backend, now: number): void {
    this.#failedAt.set(backend, now)
  }

  answered(backend: Backend): void {
    this.#failedAt.delete(backend)
  }

  /** @returns their part of those that get new work, 0 to 1 */
  share(members: Iterable<Backend>, now: number): number {
    let all = 0
    let failing = 0
    for (const backend of members) {
      if (backend.adminState !== 'active' || backend.weight === 0 || isOut(backend)) continue
      all++
      if (now - (this.#failedAt.get(backend) ?? -Infinity) < STANDS) failing++
    }
    return all === 0 ? 1 : failing / all
  }
}
