import { once } from 'node:events'
import t from 'tap'
import { echo, lines, running } from './running.ts'

t.test('close ends the tunnel of that id, and no other', async (t) => {
  const { connect, run, status } = await running(t, ['blue'])
  const clients = await connect(3)
  const ids = (await status()).tunnels!.map(({ id }) => String(id))
  const closed = once(clients[1]!, 'close') as Promise<[number, Buffer]>
  const said = await run('close', ids[1]!, '--code', '4003', '--reason', 'signed out')
  t.match(said, { code: 0, stdout: `closed ${ids[1]} with 4003\n`, stderr: '' })
  const [code, reason] = await closed
  t.same([code, String(reason)], [4003, 'signed out'])
  for (const client of [clients[0]!, clients[2]!]) t.equal(await echo(client, 'still here'), 'still here')

  const again = await run('close', ids[1]!, '--code', '4003')
  t.match(again, {
    code: 1,
    stdout: '',
    stderr: `no tunnel ${ids[1]} is open, or it is being closed already\n`,
  })
  const { stdout } = await run('close', ids[0]!, '--code', '4003', '--json')
  t.same(lines(stdout), [{ event: 'closed', id: Number(ids[0]), code: 4003, reason: '' }])
})
