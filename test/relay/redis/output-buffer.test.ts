import t from 'tap'
import { systemClock } from '../../../lib/core/clock.ts'
import { createRelay } from '../../../lib/relay/index.ts'
import { redisTransport } from '../../../lib/relay/redis/redis-transport.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { Witness } from '../../support/witness.ts'

const skip = withoutRedis
/** A smaller limit than that of a Redis as it is installed, and less to read than would exceed that one. */
const config = ['client-output-buffer-limit pubsub 6mb 5mb 10']
const BODY = 'x'.repeat(50_000)
const EACH = 5
const MANY = 100

t.test('a node that comes back reads many channels without being cut off for it', { skip }, async (t) => {
  const server = await startRedis(t, { config })
  const proxy = await TcpProxy.start(t, server.port)
  const away: string[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, words: string) => away.push(words) }
  const reader = createRelay({ redis: { url: `redis://127.0.0.1:${proxy.port}` }, log })
  const writer = createRelay({ redis: { url: server.url } })
  t.teardown(() => Promise.all([reader.close(), writer.close()]))
  const channels = Array.from({ length: MANY }, (_, index) => `room:${index}`)
  let got = 0
  const subscriptions = channels.map((channel) => reader.subscribe(channel, () => got++))
  await Promise.all(subscriptions.map(({ ready }) => ready))

  proxy.shape(() => ({ up: { cut: true }, down: { cut: true } }))
  proxy.close()
  await Promise.all(
    channels.flatMap((channel) => Array.from({ length: EACH }, () => writer.publish(channel, BODY))),
  )
  const before = away.length
  proxy.shape(() => ({ up: {}, down: {} }))
  await until(() => got === MANY * EACH, 'every message', 20_000)
  t.ok(away.length - before <= 1, `no more than the attempt that was under way has failed: ${away.length}`)
  t.equal(reader.status().gaps, 0)
})

t.test('many clients of one room come back to one node at once', { skip }, async (t) => {
  const server = await startRedis(t, { config })
  const writer = createRelay({ redis: { url: server.url } })
  const troubles: string[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, words: string) => troubles.push(words) }
  const reader = createRelay({ redis: { url: server.url }, log })
  t.teardown(() => Promise.all([reader.close(), writer.close()]))
  const first = writer.subscribe('room', () => {})
  await first.ready
  const from = first.position()
  await Promise.all(Array.from({ length: EACH }, () => writer.publish('room', BODY)))
  let got = 0
  const resumed = Array.from({ length: MANY }, () => reader.subscribe('room', () => got++, { from }))
  await Promise.all(resumed.map(({ ready }) => ready))
  await until(() => got === MANY * EACH, 'every message')
  t.same(troubles, [])
})

t.test('at the end, reads that wait for their turn reject too', { skip }, async (t) => {
  const server = await startRedis(t)
  const options = { prefix: 'w', lease: undefined, clock: systemClock, random: Math.random }
  const witness = new Witness(t, redisTransport({ url: server.url }, options))
  const session = await witness.session()
  server.hang()
  const reads = Array.from({ length: MANY }, () => session.read('room', 'start', 10))
  const rejected = Promise.all(reads.map((read) => t.rejects(read, { code: 'WSLB_RELAY_AWAY' })))
  await witness.transport.close()
  await rejected
  server.resume()
})
