import { type IncomingRequest } from '../core/request.ts'
import { decodedPath } from './path-readings.ts'
import { requestMatcher, type RequestMatcher, type RouteConditions } from './route-conditions.ts'

interface Entry<T> {
  /** The place in the config. */
  readonly order: number
  readonly route: T
  /** Whatever is not said by the list that the entry is in; `undefined`: nothing. */
  readonly matchesHost: TextMatcher | undefined
  readonly matchesPath: TextMatcher | undefined
  readonly matches: RequestMatcher | undefined
}

/** Those of one host, or of no exact one. */
interface Group<T> {
  readonly byPath: Map<string, Entry<T>[]>
  /** Without an exact path. */
  readonly others: Entry<T>[]
}

/**
 * Finds the first route that matches. Those with an exact host or path are looked up, only the others are gone through:
 * a thousand hosts cost what ten do.
 */
export class RouteTable<T> {
  readonly #byHost = new Map<string, Group<T>>()
  readonly #anyHost: Group<T> = { byPath: new Map(), others: [] }

  /** To be called in the order of the config. */
  add(order: number, conditions: RouteConditions, route: T): void {
    const { host, path } = conditions
    const exactHost = host?.startsWith('*.') ? undefined : host
    const exactPath = path?.endsWith('*') || path === undefined ? undefined : decodedPath(path)
    const group = exactHost === undefined ? this.#anyHost : entryOf(this.#byHost, exactHost, newGroup<T>)
    const list = exactPath === undefined ? group.others : entryOf(group.byPath, exactPath, () => [])
    list.push({
      order,
      route,
      matchesHost: host !== undefined && exactHost === undefined ? below(host.slice(1)) : undefined,
      matchesPath: path !== undefined && exactPath === undefined ? prefixMatcher(path) : undefined,
      matches: requestMatcher(conditions),
    })
  }

  /**
   * @param host as `hostName` has it
   * @param path one of `readingsOf` that of the request
   */
  find(host: string, path: string, request: IncomingRequest): T | undefined {
    const group = this.#byHost.get(host)
    const { byPath, others } = this.#anyHost
    let best: Entry<T> | undefined
    if (group) {
      best = earlier(best, group.byPath.get(path), host, path, request)
      best = earlier(best, group.others, host, path, request)
    }
    best = earlier(best, byPath.get(path), host, path, request)
    best = earlier(best, others, host, path, request)
    return best?.route
  }
}

function earlier<T>(
  best: Entry<T> | undefined,
  entries: readonly Entry<T>[] | undefined,
  host: string,
  path: string,
  request: IncomingRequest,
): Entry<T> | undefined {
  if (!entries) return best
  for (const entry of entries) {
    if (best && best.order < entry.order) return best
    const { matchesHost, matchesPath, matches } = entry
    if (matchesHost && !matchesHost(host)) continue
    if (matchesPath && !matchesPath(path)) continue
    if (!matches || matches(request)) return entry
  }
  return best
}

type TextMatcher = (value: string) => boolean

function below(suffix: string): TextMatcher {
  return (host) => host.length > suffix.length && host.endsWith(suffix)
}

function prefixMatcher(pattern: string): TextMatcher | undefined {
  if (pattern === '/*') return undefined
  const prefix = decodedPath(pattern.slice(0, -1))
  if (!prefix.endsWith('/')) return (path) => path.startsWith(prefix)
  // '/chat/*' is the whole of /chat, with and without the last slash.
  const itself = prefix.slice(0, -1)
  return (path) => path.startsWith(prefix) || path === itself
}

function newGroup<T>(): Group<T> {
  return { byPath: new Map(), others: [] }
}

function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
