import { chmodSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { address } from '../admin/channel.ts'
import { rejection } from '../support/reload.ts'
import { lines, statusOf } from './running.ts'
import { run, Wslb } from './wslb.ts'

t.test('where nobody runs, that is said, with the config that was looked for', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const commands = [['status'], ['drain', 'blue'], ['restore', 'blue'], ['reload']]
  for (const outcome of await Promise.all(commands.map((args) => run(args, { cwd }))))
    t.match(outcome, {
      code: 1,
      stdout: '',
      stderr:
        `no wslb of this user serves ${join(cwd, 'lb.config.json')}; ` +
        'start one with "npx wslb start", or name its config with -c\n',
    })
  const { stderr } = await run(['status', '--json', '-c', 'other.ts'], { cwd })
  t.match(lines(stderr), [{ event: 'error', code: 'WSLB_NOT_RUNNING', message: /other\.ts/ }])
})

t.test('what makes no sense is exit code 2 before anybody is asked', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const cases: [args: string[], stderr: RegExp][] = [
    [['drain'], /^which target\? A backend, pool\/backend, pool or '\*'/],
    [['restore'], /^which target\?/],
    [['close', '--code', '4003'], /^which tunnel\? Its id/],
    [['close', '7'], /^Missing required argument: code/],
    [['close', 'seven', '--code', '1000'], /^id: expected a number, got "seven"/],
    [['close', '7', '--code', '1000'], /^code: got 1000; expected a close code/],
    [['drain', 'blue', 'green'], /^drain takes one target; got blue, green \(/],
    [['plan', 'a.ts', 'b.ts', 'c.ts'], /^plan takes one file; got a\.ts, b\.ts, c\.ts \(/],
    [['status', 'blue'], /^status takes nothing; a config is named with -c; got blue \(/],
    [['drain', 'blue', '--over', '10'], /^over: 10 of what\? Write 10s or 10ms\n$/],
    [['restore', 'blue', '--deadline', '1.5'], /^deadline: 1\.5 of what\?/],
    [['drain', 'blue', '--ovr', '5s'], /unknown flag --ovr, did you mean "--over"\?/],
    [
      ['drain', 'blue', '--over', '5x', '--code', '1000'],
      /^over: got "5x"; .*\ncode: got 1000; expected a close code/,
    ],
    [['drain', 'blue', '--order', 'fifo'], /^order: got "fifo"; expected "idle-first"/],
    [['status', '--over', '5s'], /unknown flag --over/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => run(args, { cwd })))
  for (const [index, [args, stderr]] of cases.entries())
    t.match(outcomes[index], { code: 2, stdout: '', stderr }, args.join(' '))
})

t.test('the channel is up with the ready line and gone after the stop; the next start has it', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const start = () => {
    const wslb = new Wslb(['start', '--port', '0'], { cwd })
    t.teardown(() => wslb.end())
    return wslb
  }
  const first = start()
  await first.ready()
  const second = start()
  await second.ready()
  const [warning] = await second.logged(/^.*control:error.*$/m)
  t.match(JSON.parse(warning), {
    level: 'warn',
    reason: `process ${first.process.pid} serves the same config and has its control channel`,
  })
  const served = async () => (await statusOf(join(cwd, 'lb.config.json'))).pid
  t.equal(await served(), first.process.pid)
  second.kill('SIGTERM')
  await second.ended
  t.equal(await served(), first.process.pid)

  first.kill('SIGKILL')
  await first.ended
  const third = start()
  await third.ready()
  t.equal(await served(), third.process.pid, 'the socket of a dead process is replaced')
  third.kill('SIGTERM')
  t.match(await third.ended, { code: 0 })
  t.match(await rejection(served()), { code: 'WSLB_NOT_RUNNING' })
})

t.test('a start that may not have its channel serves without', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const { directory } = address(t)
  mkdirSync(directory)
  chmodSync(directory, 0o777)
  const env = { XDG_RUNTIME_DIR: dirname(directory) }
  const wslb = new Wslb(['start', '--port', '0'], { cwd, env })
  t.teardown(() => wslb.end())
  await wslb.ready()
  const reason = `${directory} is open to others (mode 777); chmod 700 ${directory}`
  const [warning] = await wslb.logged(/^.*control:error.*$/m)
  t.match(JSON.parse(warning), { level: 'warn', reason })
  t.match(
    await run(['status'], { cwd, env }),
    { code: 1, stdout: '', stderr: `${reason}\n` },
    'nor does a client trust it',
  )
  t.same(readdirSync(directory), [])
  wslb.kill('SIGTERM')
  t.match(await wslb.ended, { code: 0 })
})
