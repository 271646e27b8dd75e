import { type Backend } from '../core/backend.ts'

/** Who may be given new work, best first; backends of rank n are considered only when none of a lower rank is left. */
function rankOf(backend: Backend, lastResort: boolean): number {
  if (backend.adminState !== 'active' || backend.saturated || backend.weight === 0) return NEVER
  switch (backend.health) {
    case 'up':
      return backend.settings.backup ? 1 : 0
    case 'suspect':
      return backend.settings.backup ? 3 : 2
    case 'down':
      return lastResort ? 4 : NEVER
  }
}
const NEVER = 5

/**
 * The backends a policy may choose from. The list is worked out when something has changed, not at each pick:
 * the same array is handed out until {@link invalidate}.
 */
export class Candidates {
  readonly #lastResort: boolean
  #backends: ReadonlyMap<string, Backend>
  #best: readonly Backend[] | undefined

  constructor(backends: ReadonlyMap<string, Backend>, lastResort: boolean) {
    this.#backends = backends
    this.#lastResort = lastResort
  }

  /** Nobody is left but those that are down. */
  get lastResort(): boolean {
    const [first] = this.list(undefined)
    return first?.health === 'down'
  }

  /** Whether it is in a list that was handed out; the answer costs the same for three backends and for ten thousand. */
  includes(list: readonly Backend[], backend: Backend): boolean {
    let members = this.#members.get(list)
    if (!members) this.#members.set(list, (members = new Set(list)))
    return members.has(backend)
  }
  readonly #members = new WeakMap<readonly Backend[], ReadonlySet<Backend>>()

  invalidate(backends: ReadonlyMap<string, Backend> = this.#backends): void {
    this.#backends = backends
    this.#best = undefined
  }

  /** @param tried backends that have failed this very request */
  list(tried: ReadonlySet<Backend> | undefined): readonly Backend[] {
    const best = (this.#best ??= this.#select(undefined))
    if (!tried?.size) return best
    const rest = best.filter((backend) => !tried.has(backend))
    return rest.length > 0 ? rest : this.#select(tried)
  }

  #select(tried: ReadonlySet<Backend> | undefined): readonly Backend[] {
    let lowest = NEVER
    let selected: Backend[] = []
    for (const backend of this.#backends.values()) {
      if (tried?.has(backend)) continue
      const rank = rankOf(backend, this.#lastResort)
      if (rank < lowest) {
        lowest = rank
        selected = []
      }
      if (rank === lowest && rank !== NEVER) selected.push(backend)
    }
    return selected
  }
}
