import { type RouteHooks } from '../proxy/hooks.ts'
import { type HeaderCondition } from '../proxy/route-conditions.ts'

/** All conditions of a route must hold; a route without any takes everything, and is the last one. */
export interface RouteConfig {
  /** For logs, events and snapshots. @default what the route asks for, e.g. `'GET a.test/chat/*'` */
  name?: string
  /** Exact name or address, or `*.example.com` for any name below it; the port is not compared. @default any */
  host?: string
  /**
   * Exact path, or a prefix ending in `*`: `'/chat/*'` matches `/chat` and everything below it. Upper and lower case
   * differ. A request whose path servers read in ways that take different routes gets 400.
   * @default any
   */
  path?: string
  /** HTTP method, or several; a WebSocket upgrade is a GET. @default any */
  method?: string | readonly string[]
  /** Conditions by header name, in any case. Danger: clients send what they like. @default none */
  header?: Readonly<Record<string, HeaderCondition>>
  /** Name of the pool. */
  pool: string
  /** Hooks for this route only. @default those of the config */
  hooks?: RouteHooks
}
