import t from 'tap'
import { type Config } from '../../lib/config/config.ts'
import { systemClock } from '../../lib/core/clock.ts'
import { type TunnelSnapshot } from '../../lib/snapshot.ts'
import { startBalancer } from '../support/balancer.ts'
import { Child } from './child.ts'
import { type Crowd } from './crowd.ts'
import { affordable } from './descriptors.ts'
import { type EchoServer } from './echo-server.ts'
import { losses } from './ledger.ts'
import { LONG_PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const SOCKETS = 5_000
const RELOADS = 50
/** Milliseconds from one to the next. */
const PAUSE = 40

t.test(
  'reloads that change something else: no close, no lost message, counters that go on',
  { timeout: LONG_PATIENCE },
  async (t) => {
    const count = affordable(t, SOCKETS, 2)
    const servers = new Child<EchoServer>(t, 'echo-server.ts')
    const crowd = new Child<Crowd>(t, 'crowd.ts')
    const [main, other] = [await servers.ask('start', 'main'), await servers.ask('start', 'other')]
    const { balancer, url } = await startBalancer(t, configOf(0, main, other), { clock: systemClock })
    await crowd.ask('open', { url, count, every: 2_000, comeBack: false })

    let tunnels = balancer.snapshot().tunnels
    const opened = tunnels.map(({ id, backend }) => `${id} on ${backend}`)
    t.equal(opened.length, count)
    const troubles: string[] = []
    for (let n = 1; n <= RELOADS; n++) {
      const { removed, tunnelsKept, tunnelsDrained } = await balancer.reload(configOf(n, main, other))
      if (removed.includes('main') || tunnelsKept !== count || tunnelsDrained !== 0)
        troubles.push(`reload ${n}: ${tunnelsKept} kept, ${tunnelsDrained} drained`)
      const before = tunnels
      // Between any two reloads there are echoes.
      do {
        await new Promise((resolve) => setTimeout(resolve, PAUSE))
        tunnels = balancer.snapshot().tunnels
      } while (tunnels.every(({ messagesOut }, i) => messagesOut === before[i]!.messagesOut))
      troubles.push(...tunnels.filter((now, i) => goneBack(before[i]!, now)).map(({ id }) => `tunnel ${id}`))
    }
    t.same(troubles, [], 'each plan keeps all, no counter goes back')
    t.same(
      tunnels.map(({ id, backend }) => `${id} on ${backend}`),
      opened,
      'the same tunnels',
    )
    t.match(
      balancer.snapshot().backends.find(({ id }) => id === 'main'),
      { upgrades: count, tunnels: count, failures: 0 },
    )

    await crowd.ask('talked', 2)
    await crowd.ask('fallSilent')
    t.match(await crowd.ask('state'), { open: count, closes: 0, failures: [] })
    await crowd.ask('leave')
    await servers.ask('deserted')
    const [visits, heard] = [await crowd.ask('visits'), await servers.ask('heard')]
    t.same(losses(visits, heard), [])
    t.ok(
      visits.flat().every(({ sent, echoed }) => echoed === sent),
      'every echo came',
    )
    t.same(new Set(heard.map(({ code }) => code)), new Set([1000]))
  },
)

/** Everything changes from one to the next but `main`, which all clients are on. */
function configOf(n: number, main: string, other: string): Config {
  const extra = n % 2 === 0 ? [] : [{ id: `extra-${n}`, url: other, weight: 1 + (n % 7) }]
  const pools: Config['pools'] = n % 3 === 0 ? {} : { [`pool-${n}`]: { backends: [other] } }
  return {
    listen: { port: 0, host: '127.0.0.1' },
    balance: n % 5 === 0 ? 'p2c' : { name: `policy-${n}`, pick: (candidates) => candidates[0]! },
    sticky: n % 4 === 0 ? false : 'cookie',
    health: { interval: 1_000 + n },
    backends: [{ id: 'main', url: main, weight: 1 + (n % 10), maxConnections: 100_000 + n }, ...extra],
    pools,
    routes: [...Object.keys(pools).map((pool) => ({ path: `/${pool}/*`, pool })), { pool: 'default' }],
    drain: { over: 1_000 + n, reason: `reload ${n}` },
    websocket: { ping: 20_000 + n, idleTimeout: n % 2 === 0 && 600_000 },
    timeouts: { connect: 4_000 + n },
    hooks: n % 6 === 0 ? {} : { onUpgrade: ({ context }) => void (context.n = n) },
  }
}

function goneBack(before: TunnelSnapshot, now: TunnelSnapshot): boolean {
  const counters = [
    'messagesIn',
    'messagesOut',
    'framesIn',
    'framesOut',
    'bytesIn',
    'bytesOut',
    'duration',
  ] as const
  return counters.some((name) => now[name] < before[name])
}
