import { type Backend } from '../core/backend.ts'

/** Down or ejected: nothing new goes there, unless nobody else is left. */
export function isOut({ health, ejectedUntil }: Backend): boolean {
  return health === 'down' || ejectedUntil !== undefined
}
