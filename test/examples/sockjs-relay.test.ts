import t from 'tap'
import { withoutRedis } from '../support/redis-server.ts'
import { get } from './clients.ts'
import { RunningProgram } from './run-program.ts'

t.test(
  'sockjs-relay: Redis dies and comes back empty, and no delivery is lost',
  { skip: withoutRedis },
  async (t) => {
    const program = new RunningProgram(t, 'sockjs-relay')
    const url = await program.url()
    for (const name of ['node-1', 'node-2', 'node-3'])
      await program.line(new RegExp(`^${name} has [1-6] of 6`))
    t.match((await get(url)).body, 'SockJS over three nodes')
    t.match((await get(`${url}/sockjs.js`)).body, 'sockjs-client')
    program.type('\n')
    const [, due, lost, doubled] = await program.line(/^(\d+) deliveries were due: (\d+) lost, (\d+) doubled/)
    t.ok(Number(due) > 1_000, 'some were due')
    t.same([lost, doubled], ['0', '0'])
    program.type('q\n')
    t.equal(await program.ended, 0)
  },
)

t.test('sockjs-relay: the same over plain publish/subscribe', { skip: withoutRedis }, async (t) => {
  const program = new RunningProgram(t, 'sockjs-relay', { env: { OVER: 'pub-sub' } })
  await program.url()
  program.type('\n')
  const [, due] = await program.line(/^(\d+) deliveries were due/)
  t.ok(Number(due) > 1_000, 'some were due')
  t.equal(await program.stop('SIGINT'), 0)
})

t.test('sockjs-relay: without redis-server it says what to install', async (t) => {
  const program = new RunningProgram(t, 'sockjs-relay', { env: { PATH: '/nowhere' } })
  t.equal(await program.ended, 1)
  t.match(program.lines[0], 'no redis-server on the PATH')
  t.equal(program.lines.length, 2)
})
