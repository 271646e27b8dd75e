import t from 'tap'
import { Traffic } from '../../examples/sentinel-failover/traffic.ts'
import { NodeProcess } from '../../examples/support/node-process.ts'
import { createBalancer } from '../../lib/balancer.ts'
import { type Config } from '../../lib/config/config.ts'
import { withoutRedis } from '../support/redis-server.ts'
import { startCluster } from '../support/sentinel-cluster.ts'
import { runnable } from '../support/tree.ts'
import { until } from '../support/until.ts'
import { LONG_PATIENCE, PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const PUBLISHERS = 3
const SUBSCRIBERS = 12

t.test(
  'balancer, nodes and Redis with Sentinel: all of them change under clients, who miss nothing',
  { skip: withoutRedis, timeout: LONG_PATIENCE },
  async (t) => {
    const cluster = await startCluster(t, { downAfter: 1_000 })
    const program = runnable('examples/sentinel-failover/node.ts')
    const start = async (name: string) => {
      const node = await NodeProcess.start(name, program, { SENTINELS: JSON.stringify(cluster.addresses) })
      t.teardown(() => node.stop())
      return node
    }
    const [one, two, three] = await Promise.all([start('one'), start('two'), start('three')])
    const config = (...nodes: NodeProcess[]): Config => ({
      listen: { port: 0, host: '127.0.0.1' },
      backends: nodes.map(({ name, url }) => ({ id: name, url })),
      balance: 'round-robin',
      drain: { over: '500ms' },
      health: { interval: '500ms', debounce: '0s' },
    })
    const balancer = createBalancer(config(one, two, three))
    t.teardown(() => balancer.close())
    const [address] = await balancer.listen()
    const traffic = await Traffic.start(t, `http://127.0.0.1:${address!.port}`, [PUBLISHERS, SUBSCRIBERS])
    await traffic.caughtUp()

    one.kill()
    const master = (await cluster.master())!
    await master.kill()
    const four = await start('four')
    const plan = await balancer.reload(config(three, four))
    t.match(plan, { added: ['four'], kept: ['three'] })
    await cluster.failedOver(master)
    // Of both nodes that are gone, with a place in the channel each.
    await until(
      () => traffic.cuts >= (2 * (PUBLISHERS + SUBSCRIBERS)) / 3,
      'clients that come back',
      PATIENCE,
    )
    await traffic.caughtUp()
    traffic.fallSilent()
    await traffic.caughtUp()

    const { published, delivered, lost, doubled, gaps } = traffic.account
    t.ok(published > 100, `${published} messages`)
    t.same({ lost, doubled, gaps }, { lost: 0, doubled: 0, gaps: 0 })
    t.equal(delivered, published * SUBSCRIBERS)
    const homes = new Set(balancer.snapshot().tunnels.map(({ backend }) => backend))
    t.same([...homes].sort(), ['four', 'three'])
  },
)
