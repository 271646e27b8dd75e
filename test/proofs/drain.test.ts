import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { startBalancer } from '../support/balancer.ts'
import { until } from '../support/until.ts'
import { Child } from './child.ts'
import { type Crowd } from './crowd.ts'
import { type EchoServer } from './echo-server.ts'
import { evenness, losses } from './ledger.ts'
import { LONG_PATIENCE, PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const SOCKETS = 1_000
const OVER = 5_000

t.test(
  `a drain of ${SOCKETS} echoing sockets is even, says 1012, and loses nothing`,
  { timeout: LONG_PATIENCE },
  async (t) => {
    const servers = new Child<EchoServer>(t, 'echo-server.ts')
    const crowd = new Child<Crowd>(t, 'crowd.ts')
    const names = ['blue', 'green', 'red']
    const backends = await Promise.all(
      names.map(async (id) => ({ id, url: await servers.ask('start', id), weight: id === 'blue' ? 1 : 0 })),
    )
    const listen = { port: 0, host: '127.0.0.1' }
    const config = { listen, backends, health: false as const, sticky: 'cookie' as const }
    const { balancer, url } = await startBalancer(t, config, { clock: systemClock })
    await crowd.ask('open', { url, count: SOCKETS, every: 500, comeBack: 500 })
    await crowd.ask('talked', 3)
    // Everybody is on blue; from now on all three are open to everybody.
    await balancer.reload({ ...config, backends: backends.map(({ id, url }) => ({ id, url })) })
    t.equal(balancer.snapshot().backends[0]!.tunnels, SOCKETS)

    await balancer.drain('blue', { over: OVER, reason: 'deploy of blue' })
    t.equal(balancer.snapshot().backends[0]!.load, 0)
    const open = () => balancer.snapshot().tunnels.length
    await until(() => open() === SOCKETS, 'all to be back', PATIENCE)
    const { failures, stall } = await crowd.ask('state')
    t.same(failures, [], 'nobody was refused')
    await crowd.ask('fallSilent')
    await crowd.ask('leave')
    await servers.ask('deserted')

    const visits = await crowd.ask('visits')
    const heard = await servers.ask('heard')
    t.same(losses(visits, heard), [], 'every message arrived, once and in order, and the echoes have no hole')
    const first = visits.map(([visit]) => visit!)
    t.same(
      new Set(first.map(({ backend, code, reason }) => `${backend} ${code} ${reason}`)),
      new Set(['blue 1012 deploy of blue']),
    )
    t.ok(first.every(({ echoed }) => echoed > 0))
    t.same(new Set(visits.map((all) => all.length)), new Set([2]), 'everybody was closed once')
    const second = visits.map(([, visit]) => visit!)
    t.same(
      new Set(second.map(({ backend }) => backend)),
      new Set(['green', 'red']),
      'nobody came back to blue',
    )
    t.ok(
      second.every(({ newCookie }) => newCookie),
      'with a new cookie',
    )
    t.same(
      new Set(heard.filter(({ backend }) => backend === 'blue').map(({ code }) => code)),
      new Set([1001]),
      'blue heard 1001',
    )

    const { even, text } = evenness({ closedAt: first.map(({ closedAt }) => closedAt), over: OVER, stall })
    t.ok(even, text)
  },
)
