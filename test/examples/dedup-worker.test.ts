import t from 'tap'
import { withoutRedis } from '../support/redis-server.ts'
import { RunningProgram } from './run-program.ts'

t.test(
  'dedup-worker: one result for each job, with a dead worker and a dead master',
  { skip: withoutRedis },
  async (t) => {
    const program = new RunningProgram(t, 'dedup-worker')
    t.equal(await program.ended, 0, program.lines.join('\n'))
    await program.line(/^worker-\d has died with job-20 in its hands: SIGKILL/)
    await program.line(/^the master at \d+ is killed/)
    await program.line(/^150 jobs: 150 done, 0 results too many/)
    const masters = program.lines.filter((line) => line.startsWith('workers: '))
    const mixed = masters.filter((line) => new Set(line.match(/\d+x[0-9a-f]+/g)).size > 1)
    t.same(mixed, [], 'no two masters were in use at once')
    t.equal(
      new Set(masters.flatMap((line) => line.match(/\d+x[0-9a-f]+/g) ?? [])).size,
      2,
      masters.join('\n'),
    )
  },
)
