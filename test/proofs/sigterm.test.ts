import t from 'tap'
import { Wslb } from '../cli/wslb.ts'
import { Child } from './child.ts'
import { type Crowd } from './crowd.ts'
import { type EchoServer } from './echo-server.ts'
import { evenness, losses } from './ledger.ts'
import { LONG_PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const SOCKETS = 500
const OVER = 5_000

t.test(
  `SIGTERM closes ${SOCKETS} echoing sockets evenly with 1012, loses nothing, exits with 0`,
  { timeout: LONG_PATIENCE },
  async (t) => {
    const servers = new Child<EchoServer>(t, 'echo-server.ts')
    const crowd = new Child<Crowd>(t, 'crowd.ts')
    const backends = await Promise.all(['blue', 'green'].map((name) => servers.ask('start', name)))
    const config = { backends, drain: { over: OVER, deadline: OVER + 20_000, reason: 'new version' } }
    const cwd = t.testdir({ 'lb.config.json': JSON.stringify(config) })
    const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1', '--log-level', 'warn'], { cwd })
    t.teardown(() => wslb.end())
    const url = await wslb.ready()
    await crowd.ask('open', { url, count: SOCKETS, every: 500, comeBack: false })
    await crowd.ask('talked', 3)

    wslb.kill('SIGTERM')
    t.match(await wslb.ended, { code: 0, signal: null })
    const { stall } = await crowd.ask('state')
    await crowd.ask('fallSilent')
    await servers.ask('deserted')
    const visits = await crowd.ask('visits')
    const heard = await servers.ask('heard')
    t.same(losses(visits, heard), [], 'every message arrived, once and in order, and the echoes have no hole')
    t.same(new Set(visits.map(([visit]) => `${visit!.code} ${visit!.reason}`)), new Set(['1012 new version']))
    t.same(new Set(heard.map(({ code }) => code)), new Set([1001]))

    const { even, text } = evenness({ closedAt: visits.map(([visit]) => visit!.closedAt), over: OVER, stall })
    t.ok(even, text)
  },
)
