import { alike } from '../core/alike.ts'
import { type PoolSpec } from '../pool/pool-spec.ts'
import { type ResolvedConfig } from './resolved.ts'

/**
 * Names of the options that differ, those of listeners and backends left out: `drain`, `pools.chat.balance`. Of functions
 * only whether they are there is compared: each load of a config makes new ones that may do the same.
 */
export function changedOptions(before: ResolvedConfig, after: ResolvedConfig): string[] {
  const [old, next] = [comparable(before), comparable(after)]
  const top = Object.keys(next).filter((name) => !alike(old[name], next[name]))
  const pools = after.pools.flatMap((pool) => {
    const previous = before.pools.find(({ name }) => name === pool.name)
    const prefix = pool.name === 'default' ? '' : `pools.${pool.name}.`
    return previous ? changedIn(previous, pool).map((name) => prefix + name) : []
  })
  return [...top, ...pools]
}

function comparable(config: ResolvedConfig): Record<string, unknown> {
  const { listen, limits, routes, timeouts, hooks } = config
  const { drain, websocket, attempts, admission, trustProxy } = config
  return {
    'listen.tls': listen.map(({ tls }) => tls),
    routes: routes.map(({ name, host, path, method, header, pool }) => [
      name,
      host,
      path,
      method,
      header,
      pool,
    ]),
    hooks: { ...hooks, ofRoutes: routes.map(({ onMessage, select }) => ({ onMessage, select })) },
    timeouts: { ...timeouts, ...limits },
    ...{ drain, websocket, attempts, admission, trustProxy },
  }
}

function changedIn(before: PoolSpec, after: PoolSpec): string[] {
  const options = ({
    policy,
    sticky,
    health,
    rebalance,
    retryBudget,
    slowStart,
    onLost,
    source,
  }: PoolSpec): Record<string, unknown> => ({
    // Whatever else a policy or strategy of the user's has is not ours to look at.
    balance: policy.name,
    sticky: sticky.map(({ name, ownCookie }) => [name, ownCookie]),
    ...{ onLost, health, rebalance, retryBudget, slowStart },
    source: source?.source.name,
    discovery: source && [source.removeAfter, source.allowEmpty, source.startTimeout],
  })
  const [old, next] = [options(before), options(after)]
  return Object.keys(next).filter((name) => !alike(old[name], next[name]))
}
