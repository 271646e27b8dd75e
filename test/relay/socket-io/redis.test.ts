import t from 'tap'
import { createRelay } from '../../../lib/relay/index.ts'
import { socketIoAdapterContract } from '../../contract/socket-io-adapter.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'

if (withoutRedis) {
  t.test('over Redis', { skip: withoutRedis }, async () => {})
} else {
  const { url } = await startRedis(t)
  let prefixes = 0
  socketIoAdapterContract((_t, count) => {
    const prefix = `w${++prefixes}`
    return Array.from({ length: count }, () => createRelay({ redis: { url }, prefix }))
  })
}
