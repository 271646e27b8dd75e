import { type Backend } from '../core/backend.ts'
import { digestOf } from '../core/digest.ts'
import { Rendezvous } from '../core/rendezvous.ts'
import { assertKey, keyFor, type RequestKey } from '../core/request-key.ts'
import { type StickyStrategy } from './strategy.ts'

/**
 * Stickiness by what a request has in it, e.g. `hashBy(query('room'))`: nothing is stored, no cookie is set, and any
 * number of balancers agree. The owner of a key is found by rendezvous hashing among all backends of the pool that have
 * a weight and are no backups, in service or not; while it cannot serve, its keys are with all others, by weight, and
 * come home when it is back.
 * @throws ConfigError
 */
export function hashBy(key: RequestKey): StickyStrategy {
  assertKey('hashBy', key)
  const owners = new WeakMap<ReadonlyMap<string, Backend>, Rendezvous<Backend>>()
  const others = new WeakMap<readonly Backend[], Rendezvous<Backend>>()
  return {
    name: 'hash-by',
    find(request, backends) {
      const text = keyFor(request, key)
      if (text === undefined) return undefined
      let table = owners.get(backends)
      if (!table) owners.set(backends, (table = tableOf([...backends.values()].filter(owns))))
      return table.winner(digestOf(text))
    },
    failover(request, candidates) {
      const text = keyFor(request, key)
      if (text === undefined) return undefined
      let table = others.get(candidates)
      if (!table) others.set(candidates, (table = tableOf(candidates)))
      return table.winner(digestOf(text))
    },
  }
}

/** By what is configured: an owner that starts slowly is the owner all the same, for every balancer. */
function tableOf(backends: readonly Backend[]): Rendezvous<Backend> {
  return new Rendezvous(backends, ({ settings }) => settings.weight)
}

function owns({ settings }: Backend): boolean {
  return settings.weight > 0 && !settings.backup
}
