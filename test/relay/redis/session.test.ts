import t from 'tap'
import { systemClock } from '../../../lib/core/clock.ts'
import { redisTransport } from '../../../lib/relay/redis/redis-transport.ts'
import { sessionContract } from '../../contract/session.ts'
import { startRedis } from '../../support/redis-server.ts'

const server = await startRedis(t)
let prefixes = 0

sessionContract(() => {
  const prefix = `w${++prefixes}`
  return {
    transport: () =>
      redisTransport(
        { url: server.url },
        { prefix, lease: undefined, clock: systemClock, random: Math.random },
      ),
  }
})
