import { type Transport } from '../session/session.ts'
import { dial } from './dial.ts'
import { Keys } from './keys.ts'
import { placeOf } from './redis-access.ts'
import { RedisSession } from './redis-session.ts'
import { type RedisTarget } from './redis-target.ts'
import { type RedisTransportOptions } from './redis-transport-options.ts'
import { troubleWith } from './redis-trouble.ts'
import { resolveTarget, type SingleTarget } from './resolve-target.ts'
import { sentinelTransport } from './sentinel-transport.ts'
import { SessionLoop } from './session-loop.ts'

/** @throws ConfigError with all that is wrong with the target */
export function redisTransport(target: RedisTarget, options: RedisTransportOptions): Transport {
  const resolved = resolveTarget(target)
  return 'sentinels' in resolved ? sentinelTransport(resolved, options) : singleTransport(resolved, options)
}

function singleTransport({ address, access }: SingleTarget, options: RedisTransportOptions): Transport {
  const { clock, random, prefix } = options
  const keys = new Keys(prefix, access.db)
  const place = placeOf(address)
  return new SessionLoop({
    kind: 'redis',
    clock,
    random,
    async begin(events, signal) {
      const pair = await dial(access, address, { clock, signal }).catch((error: unknown) => {
        throw troubleWith(place, error)
      })
      // Nobody counts the terms of a single master, so that none is refused.
      const term = { term: 0, fenced: false, leaseLeft: () => Infinity }
      return new RedisSession(pair, { ...term, address: place, keys, clock, events })
    },
  })
}
