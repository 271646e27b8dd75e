import { type ResolvedConfig } from './config/resolved.ts'
import { trustFor } from './listener/trust-proxy.ts'
import { type Pool } from './pool/pool.ts'
import { type ProxySettings } from './proxy/context.ts'
import { Router } from './proxy/router.ts'

/** What requests and upgrades are served by, made from a config. */
export function proxySettings(config: ResolvedConfig, pools: ReadonlyMap<string, Pool>): ProxySettings {
  const { routes, hooks, attempts, admission, timeouts, websocket, trustProxy } = config
  return {
    router: new Router(routes, pools),
    hooks,
    attempts,
    admission,
    ownCookies: config.pools.flatMap(({ sticky }) => sticky.flatMap(({ ownCookie }) => ownCookie ?? [])),
    trust: trustFor(trustProxy),
    timeouts: { ...timeouts, handshake: websocket.handshakeTimeout },
  }
}
