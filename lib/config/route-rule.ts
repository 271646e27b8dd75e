import { METHODS } from 'node:http'
import { isIP } from 'node:net'
import { z } from 'zod'
import { hostName } from '../proxy/host-name.ts'
import { decodedPath, readingsOf } from '../proxy/path-readings.ts'
import { type HeaderCondition } from '../proxy/route-conditions.ts'
import { closestTo } from '../core/closest.ts'
import { routeHooks } from './hooks-rule.ts'
import { depends, isObject, judged, list, mismatch, object, type Rule, value, Wrong } from './rule.ts'
import { boolean, host, text } from './values.ts'

const routeHost: Rule<string> = judged((given) => {
  const isBelow = typeof given === 'string' && given.startsWith('*.')
  const bare = typeof given === 'string' ? given.replace(/^\[(.*)\]$/, '$1') : given
  const { success, data } = host.safeParse(isBelow ? given.slice(2) : bare)
  if (!success || (isBelow && isIP(data)))
    return new Wrong(mismatch(given, 'a host name or address without port, or "*.example.com"'))
  return isBelow ? `*.${hostName(data)}` : hostName(data)
})

const ONE_READING =
  'a path that all servers read alike: no "//", no "." or ".." segment, no "\\", ";" or "%2F"'

const routePath: Rule<string> = judged((given) => {
  if (typeof given !== 'string' || !/^\/[^\s?#*]*\*?$/.test(given))
    return new Wrong(mismatch(given, 'a path like "/chat", or a prefix like "/chat/*"'))
  // Clients send what is not ASCII in escapes.
  const sent = given.replace(/[^\0-\x7f]+/gu, encodeURIComponent)
  const prefix = sent.replace(/\*$/, '')
  const isPlain = readingsOf(prefix).length === 1 && !/%2f|%5c/i.test(decodedPath(prefix))
  return isPlain ? sent : new Wrong(mismatch(given, ONE_READING))
})

const oneMethod: Rule<string> = judged((given) => {
  const name = typeof given === 'string' ? given.toUpperCase() : given
  const known = METHODS.find((method) => method === name)
  return known ?? new Wrong(mismatch(given, 'an HTTP method like "GET"', closestTo(name, METHODS)))
})

const method: Rule<string[]> = depends<string[]>((given) =>
  Array.isArray(given)
    ? notEmpty(given, 'an HTTP method, or a list of them', list('', oneMethod))
    : oneMethod.transform((one) => [one]),
)

const CONDITION = 'a value, a list of values, true (is there), false (is not there), or a RegExp'

const headerCondition: Rule<HeaderCondition> = depends<HeaderCondition>((given) => {
  if (typeof given === 'boolean') return boolean
  if (given instanceof RegExp) return value('', () => withoutPosition(given))
  if (Array.isArray(given)) return notEmpty(given, CONDITION, list('', text))
  return value(CONDITION, (given) => text.safeParse(given).data)
})

/** Such a pattern would go on where it has found something in the request before. */
function withoutPosition({ source, flags }: RegExp): RegExp {
  return new RegExp(source, flags.replace(/[gy]/g, ''))
}

function notEmpty<T>(given: readonly unknown[], allowed: string, rule: Rule<T>): Rule<T> {
  return given.length > 0 ? rule : value<T>(allowed, () => undefined)
}

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const header = z
  .record(z.string(), headerCondition, {
    error: (issue) => mismatch(issue.input, 'an object of conditions by header name'),
  })
  .superRefine((given, context) => {
    const seen = new Set<string>()
    for (const name of Object.keys(given)) {
      const lower = name.toLowerCase()
      const wrong = !FIELD_NAME.test(name)
        ? 'is no header name'
        : seen.has(lower) && 'is given twice; header names are the same in any case'
      if (wrong) context.addIssue({ code: 'custom', path: [name], message: wrong })
      seen.add(lower)
    }
  })
  .transform((given) =>
    Object.entries(given).map(([name, condition]) => [name.toLowerCase(), condition] as const),
  )

export const route = object('an object with a pool, and what a request must be like', {
  name: text.optional(),
  host: routeHost.optional(),
  path: routePath.optional(),
  method: method.optional(),
  header: header.optional(),
  pool: text,
  hooks: routeHooks.default({}),
})

export type RouteRule = z.output<typeof route>

/** A route as it was given, when it is right by itself. */
export function routeOf(given: unknown): RouteRule | undefined {
  return isObject(given) ? route.safeParse(given).data : undefined
}
