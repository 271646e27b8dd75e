import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Pool } from '../pool/pool.ts'
import { type MessageRule } from './message-hook.ts'

export interface RouteSpec {
  /** Lower case; `*.` in front matches any name below. */
  readonly host: string | undefined
  /** Exact, or a prefix ending in `*`. */
  readonly path: string | undefined
  readonly pool: string
  /** `hooks.onMessage` as it is for this route. */
  readonly onMessage: MessageRule | undefined
}

/** Where a request goes. */
export interface Route {
  /** Host and path as the config has them; `*` without either. */
  readonly name: string
  readonly pool: Pool
  readonly onMessage: MessageRule | undefined
}

/** Host and path → route. The first one that matches decides. */
export class Router {
  /** The first of each name. */
  readonly #byName = new Map<string, Route>()
  readonly #routes: readonly (Route & { readonly matches: (request: IncomingRequest) => boolean })[]

  constructor(routes: readonly RouteSpec[], pools: ReadonlyMap<string, Pool>) {
    this.#routes = routes.map(({ host, path, pool, onMessage }) => {
      const matchesHost = hostMatcher(host)
      const matchesPath = pathMatcher(path)
      return {
        name: `${host ?? ''}${path ?? ''}` || '*',
        matches: (request) => matchesHost(request.host) && matchesPath(request.path),
        pool: pools.get(pool)!,
        onMessage,
      }
    })
    for (const route of this.#routes) if (!this.#byName.has(route.name)) this.#byName.set(route.name, route)
  }

  /** @throws WslbError `WSLB_NO_ROUTE` (404) */
  route(request: IncomingRequest): Route {
    const route = this.match(request)
    if (!route) throw new WslbError('WSLB_NO_ROUTE', `no route for ${request.path}`)
    return route
  }

  /** Of the route with that name, for tunnels that a former config has opened. */
  onMessage(name: string): MessageRule | undefined {
    return this.#byName.get(name)?.onMessage
  }

  match(request: IncomingRequest): Route | undefined {
    return this.#routes.find(({ matches }) => matches(request))
  }
}

type Matcher = (value: string) => boolean
const always: Matcher = () => true

function hostMatcher(pattern: string | undefined): Matcher {
  if (pattern === undefined) return always
  if (!pattern.startsWith('*.')) return (host) => withoutPort(host) === pattern
  const suffix = pattern.slice(1)
  return (host) => withoutPort(host).endsWith(suffix)
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase()
}

function pathMatcher(pattern: string | undefined): Matcher {
  if (pattern === undefined || pattern === '*' || pattern === '/*') return always
  if (!pattern.endsWith('*')) return (path) => path === pattern
  const prefix = pattern.slice(0, -1)
  if (!prefix.endsWith('/')) return (path) => path.startsWith(prefix)
  // '/chat/*' is the whole of /chat, with and without the last slash.
  const itself = prefix.slice(0, -1)
  return (path) => path === itself || path.startsWith(prefix)
}
