import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { Child } from './child.ts'
import { type Crowd } from './crowd.ts'
import { type EchoServer } from './echo-server.ts'
import { losses } from './ledger.ts'
import { LONG_PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const SOCKETS = 300

t.test(
  'kill -9 of one backend of three: its clients get 1014 within a second, nobody else notices',
  { timeout: LONG_PATIENCE },
  async (t) => {
    const names = ['blue', 'green', 'red']
    const servers = names.map(() => new Child<EchoServer>(t, 'echo-server.ts'))
    const crowd = new Child<Crowd>(t, 'crowd.ts')
    const backends = await Promise.all(
      names.map(async (id, i) => ({ id, url: await servers[i]!.ask('start', id) })),
    )
    const { url } = await startBalancer(
      t,
      { backends, balance: inTurn(), sticky: 'cookie', health: { interval: '1s' } },
      { clock: systemClock },
    )
    await crowd.ask('open', { url, count: SOCKETS, every: 100, comeBack: 200 })
    await crowd.ask('talked', 3)

    const killedAt = Date.now()
    await servers[0]!.kill()
    await crowd.ask('closed', SOCKETS / 3)
    await crowd.ask('allOpen')
    // Those who have come back talk again, and the others have not stopped.
    await crowd.ask('talked', 10)
    const state = await crowd.ask('state')
    t.match(state, { open: SOCKETS, closes: SOCKETS / 3, failures: [] })
    await crowd.ask('fallSilent')
    await crowd.ask('leave')
    await Promise.all(servers.slice(1).map((server) => server.ask('deserted')))

    const visits = await crowd.ask('visits')
    const orphans = visits.map(([first]) => first!).filter(({ backend }) => backend === 'blue')
    t.equal(orphans.length, SOCKETS / 3)
    t.same(new Set(orphans.map(({ code, reason }) => `${code} ${reason}`)), new Set(['1014 backend lost']))
    t.same(
      orphans.flatMap(({ broken }) => broken ?? []),
      [],
      'what they got until then had no hole',
    )
    const slowest = Math.max(...orphans.map(({ closedAt }) => closedAt)) - killedAt
    t.ok(slowest < 1_000 + state.stall, `the last one heard it after ${slowest} ms`)
    const moved = visits.filter((all) => all.length === 2).map(([, visit]) => visit!)
    t.equal(moved.length, orphans.length)
    t.notOk(
      moved.some(({ backend }) => backend === 'blue'),
      'they came back to others',
    )
    t.ok(
      moved.every(({ newCookie }) => newCookie),
      'with a new cookie',
    )

    const heard = (await Promise.all(servers.slice(1).map((server) => server.ask('heard')))).flat()
    const living = visits.map((all) => all.filter(({ backend }) => backend !== 'blue'))
    t.ok(
      living.flat().every(({ sent, echoed, code }) => echoed === sent && code === 1000),
      'every echo came',
    )
    t.same(
      losses(visits, heard).filter((text) => !/blue has not heard/.test(text)),
      [],
      'nothing was lost on the others',
    )
  },
)
