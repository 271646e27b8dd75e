import t from 'tap'
import { withoutRedis } from '../support/redis-server.ts'
import { RunningProgram } from './run-program.ts'

t.test(
  'targeted: each message comes to one node, a quarter of the bytes',
  { skip: withoutRedis },
  async (t) => {
    const program = new RunningProgram(t, 'targeted')
    t.equal(await program.ended, 0, program.lines.join('\n'))
    const [, node, said] = await program.line(/^client-1 is on (\S+); Redis says: (\S+)/)
    t.equal(node, said)
    for (const name of ['node-1', 'node-2', 'node-3', 'node-4'])
      await program.line(new RegExp(`^${name} +2000 messages`))
    const [, share] = await program.line(
      /^all +8000 messages +\d+ kB +2000 messages +\d+ kB +(\d+) % of the bytes/,
    )
    t.ok(Number(share) < 35, `${share} %`)
    t.ok(await program.line(/^heard by their clients: 2000 and 2000/))
  },
)
