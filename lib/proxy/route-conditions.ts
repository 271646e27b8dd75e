import { type IncomingRequest } from '../core/request.ts'

/**
 * What a header must be: `true`, there; `false`, not there; a value, or one of several, alone or among those between
 * commas; a pattern that its text matches.
 */
export type HeaderCondition = boolean | string | readonly string[] | RegExp

/** What a request must be like. All of it must hold; `undefined` is anything. */
export interface RouteConditions {
  /** As `hostName` has it; `*.` in front matches any name below. */
  readonly host: string | undefined
  /** Exact, or a prefix ending in `*`; as the config has it. */
  readonly path: string | undefined
  /** Upper case. */
  readonly method: readonly string[] | undefined
  /** Lower-case names. */
  readonly header: readonly (readonly [name: string, condition: HeaderCondition])[] | undefined
}

export type RequestMatcher = (request: IncomingRequest) => boolean

/** Method and headers. @returns `undefined` when the route names neither */
export function requestMatcher({ method, header = [] }: RouteConditions): RequestMatcher | undefined {
  const conditions = header.map(([name, condition]) => headerMatcher(name, condition))
  if (method) conditions.unshift((request) => method.includes(request.method))
  if (conditions.length < 2) return conditions[0]
  return (request) => conditions.every((matches) => matches(request))
}

/** Whose values are the same in any case (RFC 9110 §7.6.1, §7.8). */
const CASELESS: ReadonlySet<string> = new Set(['upgrade', 'connection'])

function headerMatcher(name: string, condition: HeaderCondition): RequestMatcher {
  if (typeof condition === 'boolean') return ({ headers }) => (headers[name] !== undefined) === condition
  if (condition instanceof RegExp) {
    return ({ headers }) => headers[name] !== undefined && condition.test(String(headers[name]))
  }
  const isCaseless = CASELESS.has(name)
  const wanted = [condition].flat().map((value) => (isCaseless ? value.toLowerCase() : value))
  return ({ headers }) => {
    const value = headers[name]
    if (value === undefined) return false
    const text = isCaseless ? String(value).toLowerCase() : String(value)
    return wanted.some((one) => text === one || lists(text, one))
  }
}

/** Whether one of the values between the commas is this one (RFC 9110 §5.6.1). */
function lists(text: string, wanted: string): boolean {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (isEdge(text, at - 1, -1) && isEdge(text, at + wanted.length, 1)) return true
  }
  return false
}

function isEdge(text: string, from: number, step: 1 | -1): boolean {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at += step
  return at < 0 || at >= text.length || text[at] === ','
}
