import { type ResolvedConfig } from './config/resolved.ts'
import { trustFor } from './listener/trust-proxy.ts'
import { type Pool } from './pool/pool.ts'
import { type ProxyContext, type ProxySettings } from './proxy/context.ts'
import { Router } from './proxy/router.ts'
import { BEATS, IDLE_CHECKS } from './proxy/tunnel.ts'

/** What requests and upgrades are served by, made from a config. */
export function proxySettings(config: ResolvedConfig, pools: ReadonlyMap<string, Pool>): ProxySettings {
  const { routes, hooks, attempts, timeouts, websocket, trustProxy } = config
  return {
    router: new Router(routes, pools),
    hooks,
    attempts,
    ownCookies: config.pools.flatMap(({ sticky }) => sticky.flatMap(({ ownCookie }) => ownCookie ?? [])),
    trust: trustFor(trustProxy),
    timeouts: { ...timeouts, handshake: websocket.handshakeTimeout },
  }
}

/** The pace of what looks after open tunnels. */
export function setSweeps(context: ProxyContext, { websocket: { ping, idleTimeout } }: ResolvedConfig): void {
  context.heartbeat.every = ping && ping * BEATS
  context.idleSweep.every = idleTimeout && idleTimeout / IDLE_CHECKS
}
