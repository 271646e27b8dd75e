import { once } from 'node:events'
import t from 'tap'
import { lines, running } from './running.ts'

t.test('rebalance moves what a new backend lacks, and says how much that was', async (t) => {
  const options = { rebalance: { perMinute: 60_000, minAge: 0 } }
  const { connect, write, run, status } = await running(t, ['blue'], options)
  const clients = await connect(4)
  write('lb.config.json', ['blue', 'green'], options)
  await run('reload')
  const closes = Promise.all([once(clients[0]!, 'close'), once(clients[1]!, 'close')])
  t.match(await run('rebalance'), {
    code: 0,
    stdout: 'rebalancing default: 2 tunnels to move\nrebalanced: 2 tunnels closed\n',
    stderr: '',
  })
  await closes
  t.equal((await status()).tunnels?.length, 2)
  const { stdout } = await run('rebalance', 'default', '--json')
  t.match(lines(stdout).at(-1), { event: 'rebalanced', pool: 'default', closed: Number })
  t.match(await run('rebalance', 'chat'), {
    code: 1,
    stdout: '',
    stderr: 'no pool "chat"; there are: default\n',
  })
})
