import { WslbError } from './errors.ts'

/**
 * What code of the user's own has given that has to decide at once.
 * @param name whose word it is, for the message
 * @throws WslbError `WSLB_INTERNAL` for a promise; its rejection ends nobody's process
 */
export function atOnce<T>(given: T, name: string): T {
  if (!isThenable(given)) return given
  abandon(given)
  throw new WslbError('WSLB_INTERNAL', `${name} returned a promise; it has to decide at once`)
}

export function isThenable(given: unknown): given is PromiseLike<unknown> {
  return typeof (given as { then?: unknown } | null | undefined)?.then === 'function'
}

/** What becomes of it is of no interest. */
export function abandon(promise: PromiseLike<unknown>): void {
  promise.then(ignore, ignore)
}

function ignore(): void {}
