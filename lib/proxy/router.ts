import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Pool } from '../pool/pool.ts'
import { type SelectHook } from './hooks.ts'
import { hostName } from './host-name.ts'
import { type MessageRule } from './message-hook.ts'
import { isUnusual, readingsOf } from './path-readings.ts'
import { type RouteConditions } from './route-conditions.ts'
import { RouteTable } from './route-table.ts'

export interface RouteSpec extends RouteConditions {
  /** For logs, and for tunnels that outlive the config that has opened them. */
  readonly name: string
  readonly pool: string
  /** `hooks.onMessage` as it is for this route. */
  readonly onMessage: MessageRule | undefined
  /** `hooks.select` as it is for this route. */
  readonly select: SelectHook | undefined
}

/** Where a request goes. */
export interface Route {
  readonly name: string
  readonly pool: Pool
  readonly onMessage: MessageRule | undefined
  readonly select: SelectHook | undefined
}

/** Host, path, method and headers → route. The first one that matches decides. */
export class Router {
  readonly #byName = new Map<string, Route>()
  readonly #table = new RouteTable<Route>()

  constructor(routes: readonly RouteSpec[], pools: ReadonlyMap<string, Pool>) {
    for (const [order, spec] of routes.entries()) {
      const { name, onMessage, select } = spec
      const route = { name, pool: pools.get(spec.pool)!, onMessage, select }
      this.#table.add(order, spec, route)
      this.#byName.set(name, route)
    }
  }

  /** @throws WslbError `WSLB_NO_ROUTE` (404), `WSLB_BAD_REQUEST` (400) as {@link match} */
  route(request: IncomingRequest): Route {
    const route = this.match(request)
    if (!route) throw new WslbError('WSLB_NO_ROUTE', `no route for ${request.path}`)
    return route
  }

  /** Of the route with that name, for tunnels that a former config has opened. */
  onMessage(name: string): MessageRule | undefined {
    return this.#byName.get(name)?.onMessage
  }

  /** Whether the request is for us, if only to be refused. */
  claims(request: IncomingRequest): boolean {
    try {
      return this.match(request) !== undefined
    } catch {
      return true
    }
  }

  /**
   * A backend that reads the path in another way than we do must not be reached past a route: where it matters which
   * reading is right, the request is refused.
   * @throws WslbError `WSLB_BAD_REQUEST` (400)
   */
  match(request: IncomingRequest): Route | undefined {
    const host = hostName(request.host)
    const { path } = request
    if (!isUnusual(path)) return this.#table.find(host, path, request)
    const [plainest, ...others] = readingsOf(path)
    const route = this.#table.find(host, plainest!, request)
    if (others.some((reading) => this.#table.find(host, reading, request) !== route))
      throw new WslbError(
        'WSLB_BAD_REQUEST',
        'refused: the path can be read in ways that take different routes',
      )
    return route
  }
}
