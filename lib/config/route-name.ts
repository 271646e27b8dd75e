import { type HeaderCondition, type RouteConditions } from '../proxy/route-conditions.ts'

/** What a route asks for, in few words: `GET,HEAD a.test/chat/* x-version=beta`; `*` for everything. */
export function routeName({ host, path, method, header = [] }: Partial<RouteConditions>): string {
  const parts = [method?.join(','), `${host ?? ''}${path ?? ''}`, ...header.map(headerText)]
  return parts.filter(Boolean).join(' ') || '*'
}

function headerText([name, condition]: readonly [string, HeaderCondition]): string {
  if (typeof condition === 'boolean') return condition ? name : `!${name}`
  return condition instanceof RegExp
    ? `${name}~${String(condition)}`
    : `${name}=${[condition].flat().join('|')}`
}
