import { type Backend } from '../core/backend.ts'

/** Load by weight as it would be with one client more: an idle backend of weight 2 goes before one of weight 1. */
export function cost({ load, weight }: Backend): number {
  return (load + 1) / weight
}

export function isCheaper(a: Backend, b: Backend): boolean {
  return cost(a) < cost(b)
}
