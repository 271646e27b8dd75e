import t from 'tap'
import { withoutRedis } from '../support/redis-server.ts'
import { until } from '../support/until.ts'
import { RunningProgram } from './run-program.ts'

t.setTimeout(110_000)

t.test(
  'sentinel-failover: three faults, nothing lost, nothing doubled',
  { skip: withoutRedis },
  async (t) => {
    const args = ['--script', 'kill,hang,partition']
    const program = new RunningProgram(t, 'sentinel-failover', { args })
    t.equal(await program.ended, 0, program.lines.join('\n'))
    for (const fault of ['kill', 'hang', 'partition']) {
      const [, from, to] = await program.line(new RegExp(`^${fault}: from (\\d+) to (\\d+), longest silence`))
      t.not(from, to)
    }
    const [, said] = await program.line(/^(\d+) messages, \d+ deliveries: 0 lost, 0 doubled/)
    t.ok(Number(said) > 300)
  },
)

t.test(
  'sentinel-failover: by hand, and its end with a master that is stopped',
  { skip: withoutRedis },
  async (t) => {
    const program = new RunningProgram(t, 'sentinel-failover')
    await program.url()
    await program.line(/, [1-9]\d* delivered, 0 lost, 0 doubled.*; nodes: 3 on/)
    program.type('h')
    await program.line(/^hang of the master at/)
    program.type('k')
    await program.line(/^bring the last one back first/)
    t.equal(await program.stop('SIGHUP'), 0)
  },
)

t.test('sentinel-failover: Ctrl-C while it starts', { skip: withoutRedis }, async (t) => {
  const program = new RunningProgram(t, 'sentinel-failover')
  await until(() => program.files.length === 6, 'six servers that start', 20_000)
  t.equal(await program.stop('SIGINT'), 0)
})
