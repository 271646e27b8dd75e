import t from 'tap'
import { Network, withoutNetwork } from '../../support/network.ts'
import { withoutRedis } from '../../support/redis-server.ts'
import { startCluster } from '../../support/sentinel-cluster.ts'

// The faults are only as good as what makes them: a partition that parts nothing proves nothing.

t.setTimeout(300_000)

const skip = withoutRedis || withoutNetwork

t.test(
  'a master that is cut off goes on alone, is replaced, and follows when it is back',
  { skip },
  async (t) => {
    const network = new Network(t)
    const cluster = await startCluster(t, { network })
    const [old, ...replicas] = cluster.servers
    await old!.command('SET', 'k', 'before')
    t.equal(await old!.command('WAIT', '2', '1000'), 2)
    network.part(['server-1'], ['server-2', 'server-3', 'sentinel-1', 'sentinel-2', 'sentinel-3'])
    await old!.command('SET', 'k', 'nobody sees this')
    const master = await cluster.failedOver(old!)
    t.ok(replicas.includes(master))
    t.equal(await master.command('GET', 'k'), 'before')
    t.match(await old!.command('ROLE'), ['master'], 'nobody could tell it')
    network.heal()
    await cluster.settled()
    t.equal(await old!.command('GET', 'k'), 'before')
    t.match(await old!.command('ROLE'), ['slave'])
  },
)

t.test('what is sent in one direction waits, while the other one is open', { skip }, async (t) => {
  const network = new Network(t)
  const cluster = await startCluster(t, { network, replicas: 1, downAfter: 60_000 })
  const [master, replica] = cluster.servers
  network.cut(['server-1'], ['server-2'])
  await master!.command('SET', 'k', 'v')
  t.equal(await master!.command('WAIT', '1', '300'), 0)
  t.equal(await replica!.command('GET', 'k'), null)
  network.heal()
  t.equal(await master!.command('WAIT', '1', '2000'), 1)
  network.delay(['server-1'], ['server-2'], 400)
  const before = performance.now()
  await master!.command('SET', 'k', 'later')
  t.equal(await master!.command('WAIT', '1', '5000'), 1)
  t.ok(performance.now() - before >= 400)
})

t.test(
  'a cluster restarts from nothing but the names of its members, with a password',
  { skip },
  async (t) => {
    const cluster = await startCluster(t, { replicas: 1, auth: { password: 'not-told' } })
    const [first] = cluster.servers
    await first!.kill()
    const second = await cluster.failedOver(first!)
    for (const sentinel of cluster.sentinels) {
      await sentinel.kill()
      await sentinel.start()
    }
    await first!.start('nothing')
    await cluster.settled()
    t.equal(await cluster.master(), second, 'the Sentinels know who was promoted, also after a restart')
    second.hang()
    await second.kill()
    t.equal(second.isRunning, false)
  },
)
