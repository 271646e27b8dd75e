import t from 'tap'
import { systemClock } from '../../../lib/core/clock.ts'
import { redisTransport } from '../../../lib/relay/redis/redis-transport.ts'
import { type RedisTransportOptions } from '../../../lib/relay/redis/redis-transport-options.ts'
import { appended, batch, bodies } from '../../contract/session.ts'
import { withoutRedis } from '../../support/redis-server.ts'
import { startCluster } from '../../support/sentinel-cluster.ts'
import { until } from '../../support/until.ts'
import { Witness } from '../../support/witness.ts'

const options: RedisTransportOptions = { prefix: 'w', lease: 1_500, clock: systemClock, random: Math.random }

t.test('a failover is another session, with another epoch', { skip: withoutRedis }, async (t) => {
  const cluster = await startCluster(t)
  const { addresses: sentinels, name } = cluster
  const begun = performance.now()
  const witness = new Witness(t, redisTransport({ sentinels, name }, options))
  const first = await witness.session()
  t.comment(`begun after ${Math.round(performance.now() - begun)} ms`)
  const master = (await cluster.master())!
  t.equal(first.address, `127.0.0.1:${master.port}`)
  t.match(first.epoch, /^\d+x[0-9a-f]{12}$/)
  t.ok(first.leaseLeft() > 0 && first.leaseLeft() <= 1_500, `${first.leaseLeft()}`)
  await appended(first, 'room', batch('a', 1, 3))
  t.equal(await first.confirm(2), 2)
  const before = await first.read('room', 'start', 10)

  const killed = performance.now()
  await master.kill()
  await until(() => first.signal.aborted, 'the end of the session')
  t.equal(first.leaseLeft() <= 1_500, true)
  const second = await witness.session(2, 30_000)
  t.comment(`a new master after ${Math.round(performance.now() - killed)} ms; ${witness.troubles.join('; ')}`)
  t.not(second.address, first.address)
  t.ok(Number.parseInt(second.epoch, 10) > Number.parseInt(first.epoch, 10))
  t.equal(first.leaseLeft(), 0)
  t.same(await appended(second, 'room', batch('a', 3, 4)), [-3, 4])
  const after = await second.read('room', [{ epoch: before.epoch, offset: 3 }], 10)
  t.match(after, { after: 3, gap: undefined, entries: [{ seq: 4 }] })
  t.same(after.chain, [
    { epoch: before.epoch, offset: 0 },
    { epoch: after.epoch, offset: 3 },
  ])
  t.same(await bodies(second, 'room', 'start'), ['a1', 'a2', 'a3', 'a4'])
})
