import { type Backend } from '../core/backend.ts'
import { isOut } from './is-out.ts'

/** Who may be given new work, best first; backends of rank n are considered only when none of a lower rank is left. */
function rankOf(backend: Backend, { lastResort, isPanic }: CandidatesOptions): number {
  if (backend.adminState !== 'active' || backend.saturated || backend.weight === 0) return NEVER
  if (isPanic()) return 0
  if (isOut(backend) && !lastResort) return NEVER
  if (backend.ejectedUntil !== undefined && backend.health !== 'down') return 4
  switch (backend.health) {
    case 'up':
      return backend.settings.backup ? 1 : 0
    case 'suspect':
      return backend.settings.backup ? 3 : 2
    case 'down':
      return 5
  }
}
const NEVER = 6

export interface CandidatesOptions {
  /** With nobody else left: those that are ejected, then those that are down. */
  readonly lastResort: boolean
  /** Whether health and ejections count for nothing. */
  readonly isPanic: () => boolean
}

/** A backend among the others: its place in the config, and the rank it was given last. */
interface Standing {
  readonly order: number
  rank: number
}

/**
 * The backends a policy may choose from. The list is worked out when something has changed, not at each pick: the same
 * array is handed out until then, frozen: it is given to the user's own code. Fullness changes often where `maxConnections` is small: then only the one backend moves.
 */
export class Candidates {
  readonly #options: CandidatesOptions
  readonly #backends: ReadonlyMap<string, Backend>
  /** By rank, each in the order of the config; `undefined` when they have to be worked out anew. */
  #groups: (readonly Backend[])[] | undefined
  #all: readonly Backend[] | undefined
  readonly #standings = new Map<Backend, Standing>()

  constructor(backends: ReadonlyMap<string, Backend>, options: CandidatesOptions) {
    this.#backends = backends
    this.#options = options
  }

  /**
   * Whether who belongs to a backend may come back to it: suspect is good enough, for moving its client would lose what the
   * backend knows of it. Out is when nobody better is left: then it is more likely the probe that is wrong.
   */
  keeps(backend: Backend): boolean {
    if (backend.adminState !== 'active' || backend.saturated) return false
    if (!isOut(backend) || this.#options.isPanic()) return true
    const [best] = this.list(undefined)
    return best !== undefined && this.#rankOf(best) >= this.#rankOf(backend)
  }

  /** Whether somebody new would get a backend that is in use, and is chosen because of that. */
  get hasLiving(): boolean {
    const [best] = this.list(undefined)
    return best !== undefined && !isOut(best) && !this.#options.isPanic()
  }

  #rankOf(backend: Backend): number {
    return rankOf(backend, this.#options)
  }

  /** Whether it is in a list that was handed out; costs hardly more for ten thousand backends than for three. */
  includes(list: readonly Backend[], backend: Backend): boolean {
    const standing = this.#standings.get(backend)
    return standing !== undefined && list[this.#indexIn(list, standing.order)] === backend
  }

  /** To be called when health, admin state or weight of backends has changed. */
  invalidate(): void {
    this.#groups = undefined
    this.#all = undefined
  }

  /** To be called when a backend has become full, or is not any more. */
  fullnessChanged(backend: Backend): void {
    this.#all = undefined
    const standing = this.#standings.get(backend)
    const groups = this.#groups
    if (!groups || !standing) return
    const before = groups[standing.rank]
    standing.rank = this.#rankOf(backend)
    const after = groups[standing.rank]
    if (before === after) return
    // Copies: whoever has been handed a list keeps it.
    if (before)
      groups[groups.indexOf(before)] = Object.freeze(
        before.toSpliced(this.#indexIn(before, standing.order), 1),
      )
    if (after)
      groups[standing.rank] = Object.freeze(after.toSpliced(this.#indexIn(after, standing.order), 0, backend))
  }

  /** @param tried backends that have failed this very request */
  list(tried: ReadonlySet<Backend> | undefined): readonly Backend[] {
    const groups = (this.#groups ??= this.#rank())
    if (!tried?.size) return groups.find((group) => group.length > 0) ?? NOBODY
    for (const group of groups) {
      const rest = group.filter((backend) => !tried.has(backend))
      if (rest.length > 0) return Object.freeze(rest)
    }
    return NOBODY
  }

  /**
   * Of every rank, the best first, and behind them those of weight 0: for whoever knows better than a policy. Who is out
   * only when all are. The array is frozen: a hook is given it.
   */
  all(): readonly Backend[] {
    return (this.#all ??= Object.freeze(this.#rankAll()))
  }

  #rankAll(): Backend[] {
    const usable = [...this.#backends.values()].filter(
      ({ adminState, saturated }) => adminState === 'active' && !saturated,
    )
    const { lastResort, isPanic } = this.#options
    const living = isPanic() ? usable : usable.filter((backend) => !isOut(backend))
    const ranked = living.length > 0 || !lastResort ? living : usable
    return ranked.sort((a, b) => this.#rankOf(a) - this.#rankOf(b))
  }

  #rank(): (readonly Backend[])[] {
    const groups: Backend[][] = Array.from({ length: NEVER }, () => [])
    let order = 0
    for (const backend of this.#backends.values()) {
      const rank = this.#rankOf(backend)
      this.#standings.set(backend, { order: order++, rank })
      groups[rank]?.push(backend)
    }
    return groups.map((group) => Object.freeze(group))
  }

  /** Where the backend of that order is in a list, or would be. */
  #indexIn(list: readonly Backend[], order: number): number {
    let low = 0
    let high = list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#standings.get(list[middle]!)!.order < order) low = middle + 1
      else high = middle
    }
    return low
  }
}

const NOBODY: readonly Backend[] = []
