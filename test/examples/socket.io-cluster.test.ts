import t from 'tap'
import { withoutRedis } from '../support/redis-server.ts'
import { RunningProgram } from './run-program.ts'

t.test(
  'socket.io-cluster: three servers are one, also while one is restarted',
  { skip: withoutRedis },
  async (t) => {
    const program = new RunningProgram(t, 'socket.io-cluster')
    for (const name of ['node-1', 'node-2', 'node-3']) {
      const [, guests] = await program.line(new RegExp(`^${name} has (\\d) of 9 guests`))
      t.ok(Number(guests) > 0, `${name} has guests`)
    }
    await program.line(/^a guest at node-\d said hello, and all 9 heard it/)
    await program.url()
    program.type('2\n')
    const [, recovered, all, lost, doubled] = await program.line(
      /^node-2 was restarted: (\d+) of its (\d+) .* lost (\d+), doubled (\d+)/,
    )
    t.equal(recovered, all, 'all of its guests went on where they were')
    t.same([lost, doubled], ['0', '0'])
    t.equal(await program.stop('SIGINT'), 0)
  },
)
