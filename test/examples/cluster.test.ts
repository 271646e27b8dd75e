import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { get } from './clients.ts'
import { RunningProgram } from './run-program.ts'

t.test('cluster: each visitor stays with its worker, also when that is killed', async (t) => {
  const program = new RunningProgram(t, 'cluster', { env: { WORKERS: '3' } })
  const url = await program.url()
  const first = await get(url)
  const [, name, pid] = /^(worker-\d), process (\d+)/.exec(first.body)!
  for (let turn = 0; turn < 5; turn++) t.equal((await get(url, { cookie: first.cookie! })).body, first.body)

  const [, visitors] = await program.line(new RegExp(`^${name} has (\\d+) of 12 visitors`))
  process.kill(Number(pid), 'SIGKILL')
  const [, cut, home] = await program.line(
    /^(\d+) visitors were cut off; (\d+) are back at worker-\d after \d+ ms/,
  )
  t.same([cut, home], [visitors, visitors], 'nobody else was cut off, and all are back')
  const again = await get(url, { cookie: first.cookie! })
  t.match(again.body, `${name}, process`)
  t.not(again.body, first.body, 'in another process')
  t.equal(await program.stop('SIGINT'), 0)
})

t.test('cluster: by address, behind another proxy', async (t) => {
  const program = new RunningProgram(t, 'cluster', { env: { WORKERS: '3', STICKY: 'ip' } })
  const url = await program.url()
  const workers = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const headers = { 'x-forwarded-for': `10.1.0.${i}` }
    const { body, cookie } = await get(url, headers)
    t.equal(cookie, undefined)
    t.equal((await get(url, headers)).body, body)
    workers.add(body)
  }
  t.equal(workers.size, 3)
  program.type('1\n')
  const [, cut, home] = await program.line(/^(\d+) visitors were cut off; (\d+) are back at worker-1/)
  t.equal(cut, home)
  t.equal(await program.stop('SIGHUP'), 0)
})

t.test('cluster: a port that is taken is one line and exit code 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const program = new RunningProgram(t, 'cluster', { env: { WORKERS: '1', PORT: String(port) } })
  t.equal(await program.ended, 1)
  t.match(program.lines.at(-1), String(port))
  t.notOk(
    program.lines.some((line) => /^ +at /.test(line)),
    'no stack trace',
  )
})
