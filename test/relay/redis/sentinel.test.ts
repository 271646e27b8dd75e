import t from 'tap'
import { systemClock } from '../../../lib/core/clock.ts'
import { redisTransport } from '../../../lib/relay/redis/redis-transport.ts'
import { type RedisTransportOptions } from '../../../lib/relay/redis/redis-transport-options.ts'
import { appended, batch, bodies } from '../../contract/session.ts'
import { aclLines } from '../../support/acl-lines.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { startCluster } from '../../support/sentinel-cluster.ts'
import { until } from '../../support/until.ts'
import { Witness } from '../../support/witness.ts'

const skip = withoutRedis
const options: RedisTransportOptions = { prefix: 'w', lease: 1_500, clock: systemClock, random: Math.random }

t.test('a failover is another session, with another epoch', { skip }, async (t) => {
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

t.test(
  'without a majority the lease runs out; with one again, the same master goes on',
  { skip },
  async (t) => {
    const cluster = await startCluster(t, { downAfter: 60_000 })
    const { addresses: sentinels, name } = cluster
    const witness = new Witness(t, redisTransport({ sentinels, name }, options))
    const first = await witness.session()
    const [, second, third] = cluster.sentinels
    await second!.kill()
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    t.notOk(first.signal.aborted, 'two of three are a majority')
    third!.hang()
    await until(() => first.signal.aborted, 'the end of the lease')
    t.match(first.signal.reason, { message: /the lease on .* has run out/ })
    await witness.suffers(/no majority: 1 of 3 Sentinels name a master \(.*ECONNREFUSED/)
    third!.resume()
    const again = await witness.session(2)
    t.equal(again.epoch, first.epoch)
    await witness.suffers(/^well$/)
  },
)

t.test('what is wrong with the set-up is said', { skip }, async (t) => {
  const cluster = await startCluster(t, { sentinels: 3, priorities: [100, 100, 10] })
  const { addresses, name } = cluster
  const unknown = new Witness(t, redisTransport({ sentinels: addresses, name: 'yourmaster' }, options))
  await unknown.suffers(/^no Sentinel knows a master called "yourmaster"$/)

  const warnings: string[] = []
  const quiet = () => {}
  const log = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (_: object, words: string) => warnings.push(words),
  }
  const listed = { sentinels: addresses.slice(0, 2), name }
  const witness = new Witness(t, redisTransport(listed, { ...options, log }))
  await witness.session()
  await until(() => warnings.length === 3, 'three warnings')
  t.match(warnings.sort(), [
    /^min-replicas-to-write is 0/,
    /^replica-priority differs/,
    /^the list of Sentinels/,
  ])
})

t.test('a user of a Sentinel that may do what is needed, and no more', { skip }, async (t) => {
  const server = await startRedis(t)
  const config = [
    `sentinel monitor mine 127.0.0.1 ${server.port} 1`,
    `user watcher on >secret ${aclLines[1]}`,
    'user default on >admin ~* &* +@all',
  ]
  const sentinel = await startRedis(t, { sentinel: true, config, auth: { password: 'admin' } })
  const sentinels = [{ host: '127.0.0.1', port: sentinel.port }]
  const target = { sentinels, name: 'mine', sentinel: { username: 'watcher', password: 'secret' } }
  await new Witness(t, redisTransport(target, options)).session()
  const wrong = { ...target, sentinel: { password: 'wrong' } }
  await new Witness(t, redisTransport(wrong, options)).suffers(/WRONGPASS/)
})
