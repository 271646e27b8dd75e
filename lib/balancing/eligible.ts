import { type Backend } from '../core/backend.ts'

const cache = new WeakMap<readonly Backend[], readonly Backend[]>()

/**
 * The candidates that may get a client nobody owns: those with a weight above 0, or all when there is none.
 * Derived once per array, which is allowed because its members and weights never change (see `policy.ts`).
 */
export function eligible(candidates: readonly Backend[]): readonly Backend[] {
  let result = cache.get(candidates)
  if (!result) {
    const weighted = candidates.filter(({ settings }) => settings.weight > 0)
    result = weighted.length === 0 || weighted.length === candidates.length ? candidates : weighted
    cache.set(candidates, result)
  }
  return result
}

/** Share of a backend that {@link eligible} returned: where every weight is 0, all count the same. */
export function share(backend: Backend): number {
  return backend.settings.weight || 1
}

/** Load per share as it would be with one client more: an idle backend of weight 2 goes before one of weight 1. */
export function cost(backend: Backend): number {
  return (backend.load + 1) / share(backend)
}
