import { type ConfigProblem } from '../core/errors.ts'
import { decodedPath } from '../proxy/path-readings.ts'
import { routeName } from './route-name.ts'
import { routeOf, type RouteRule } from './route-rule.ts'
import { show } from './rule.ts'

/** Routes that nothing can come to, and names that mean two. What is wrong by itself is left to the schema. */
export function routeOrderProblems(given: readonly unknown[]): ConfigProblem[] {
  const conditions = new Map<string, number>()
  const names = new Map<string, number>()
  let everything: number | undefined
  return given.flatMap((raw, index) => {
    const route = routeOf(raw)
    if (!route) return []
    const at = (first: number) => `routes[${first}]`
    const key = keyOf(route)
    const same = conditions.get(key)
    if (everything !== undefined) {
      const message = `can never match: ${at(everything)} before it takes everything; move that one to the end`
      return [{ path: at(index), message }]
    }
    if (same !== undefined)
      return [{ path: at(index), message: `asks for the same as ${at(same)}; remove one of them` }]
    conditions.set(key, index)
    if (key === EVERYTHING) everything = index
    const name = route.name ?? routeName(route)
    const namesake = names.get(name)
    if (namesake !== undefined) {
      const message = `is named ${show(name)} like ${at(namesake)}; give it another name`
      return [{ path: `${at(index)}.name`, message }]
    }
    names.set(name, index)
    return []
  })
}

function keyOf({ host, path, method, header }: RouteRule): string {
  return JSON.stringify([
    host,
    path === undefined || path === '/*' ? undefined : decodedPath(path),
    method && [...new Set(method)].sort(),
    // An empty one asks for nothing.
    header?.map(([name, condition]) => `${name} ${routeName({ header: [[name, condition]] })}`).sort() ?? [],
  ])
}

const EVERYTHING = keyOf({ pool: '', hooks: {} })
