import { iterable } from '../discovery/iterable.ts'
import { poll, type PollFunction } from '../discovery/poll.ts'
import { type SourceOf } from '../discovery/source.ts'
import { type BackendSpec } from '../pool/membership.ts'
import { backend } from './backend-rule.ts'
import { depends, isObject, list, mistaken, object, type Rule, value } from './rule.ts'
import { boolean, duration } from './values.ts'

/** A list, or where lists come from. */
export type Backends =
  { readonly list: readonly BackendSpec[] } | { readonly source: SourceOf<unknown>; readonly origin: unknown }

export const BACKEND_LIST = 'a list of urls, or of objects with a url'

const ownSource: Rule<Backends> = value(
  'a source: an object with a name and a watch function',
  (given: unknown) => (isSource(given) ? { source: given, origin: given } : undefined),
)

/** Looks at the form only: nobody is asked. */
export const backends: Rule<Backends> = depends<Backends>((given) => {
  if (given instanceof Promise)
    return mistaken('await it, or give the function that makes it: it is asked again and again')
  if (isGeneratorFunction(given))
    return mistaken('a generator function is to be called: it is gone through once')
  if (typeof given === 'function') {
    return value('', () => ({ source: poll(given as PollFunction<unknown>), origin: given }))
  }
  if (isIterable(given)) return value('', () => ({ source: iterable(given), origin: given }))
  if (isObject(given)) return ownSource
  return list(`${BACKEND_LIST}, or a source`, backend).transform((list) => ({ list }))
})

export const discovery = object('an object', {
  removeAfter: duration.default(10_000),
  allowEmpty: boolean.default(false),
  startTimeout: duration.default(5_000),
})

export function isSource(given: unknown): given is SourceOf<unknown> {
  return isObject(given) && typeof given.name === 'string' && typeof given.watch === 'function'
}

function isGeneratorFunction(given: unknown): boolean {
  return typeof given === 'function' && /GeneratorFunction\]$/.test(Object.prototype.toString.call(given))
}

function isIterable(given: unknown): given is AsyncIterable<readonly unknown[]> {
  return isObject(given) && typeof given[Symbol.asyncIterator as never] === 'function'
}
