import { once } from 'node:events'
import t from 'tap'
import { echo, lines, running } from './running.ts'

t.test('drain waits until nothing is left and says how far it is; restore brings new work', async (t) => {
  const { connect, begin, run, status } = await running(t, ['blue', 'green'])
  const clients = await connect(4)
  const closes = [0, 2].map((index) => once(clients[index]!, 'close') as Promise<[number, Buffer]>)
  const how = '--over 2500ms --deadline 10s --code 4007 --reason deploy'
  const drain = begin('drain', 'blue', ...how.split(' '))
  const { code, stdout, stderr } = await drain.ended
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^draining blue: 2 left, \d+ s\n(draining blue: [12] left, \d+ s\n)+drained blue\n$/)
  for (const [code, reason] of await Promise.all(closes)) t.match([code, String(reason)], [4007, 'deploy'])
  for (const client of [clients[1]!, clients[3]!]) t.equal(await echo(client, 'hi'), 'hi')

  await connect(2)
  t.match((await status()).backends, [
    { id: 'blue', adminState: 'draining', tunnels: 0 },
    { id: 'green', tunnels: 4 },
  ])
  t.match(await run('restore', 'blue'), { code: 0, stdout: 'blue up\nrestored blue\n', stderr: '' })
  await connect(2)
  const [blue, green] = (await status()).backends
  t.match(blue, { id: 'blue', adminState: 'active' })
  t.ok(blue!.tunnels > 0, `blue has ${blue!.tunnels} of the new ones`)
  t.equal(blue!.tunnels + green!.tunnels, 6)
})

t.test('what the deadline cuts is said, and with --json every line is one', async (t) => {
  const { connect, run } = await running(t, ['blue'])
  const [client] = await connect(1)
  // It does not read, so it does not answer a Close.
  client!.pause()
  const { code, stdout } = await run('drain', 'default/*', '--over', '0', '--deadline', '100ms', '--json')
  t.equal(code, 0)
  t.match(lines(stdout), [
    { event: 'drain:progress', target: 'blue', left: 1, remaining: Number },
    { event: 'drained', target: 'default/*', backends: ['blue'], drained: ['blue'], cut: 1 },
  ])
  t.match(await run('drain', '*'), { code: 0, stdout: 'drained *\n' }, 'nothing to do is done at once')
})

t.test('a drain goes on without the command that began it, and a second one joins', async (t) => {
  const { connect, begin, run, status } = await running(t, ['blue', 'green'])
  await connect(2)
  const first = begin('drain', 'blue', '--over', '1h', '--deadline', '2h')
  await first.printed(/draining blue: 1 left/)
  first.kill('SIGINT')
  t.match(await first.ended, {
    code: null,
    signal: 'SIGINT',
    stderr: 'the drain goes on; `wslb restore blue` ends it\n',
  })
  t.match((await status()).drains, [{ target: 'blue', left: 1 }])

  const second = begin('drain', 'blue', '--over', '1h', '--deadline', '3h')
  await second.printed(/^draining blue: 1 left, 7[12]\d\d s, joined the drain under way\n/)
  t.match(await run('drain', '*', '--no-wait', '--over', '1h', '--deadline', '2h'), {
    code: 0,
    stdout:
      /^draining blue: 1 left, 7[12]\d\d s, joined the drain under way\ndraining green: 1 left, 7200 s\n$/,
  })
  t.match(await run('restore', '*'), { code: 0, stdout: /restored blue, green\n$/ })
  t.match(await second.ended, { code: 1, stderr: 'not drained, because restored meanwhile: blue\n' })
  t.match((await status()).backends, [{ id: 'blue', adminState: 'active', tunnels: 1 }, {}])
})

t.test('an unknown target lists what there is', async (t) => {
  const { run } = await running(t, ['blue', 'green'])
  const said = /^no backend "bleu"; there are: blue, green, default\/\*\n$/
  const commands = [['drain'], ['drain', '--no-wait'], ['restore']]
  for (const outcome of await Promise.all(commands.map((args) => run(...args, 'bleu'))))
    t.match(outcome, { code: 1, stdout: '', stderr: said })
  const { stderr } = await run('drain', 'bleu', '--json')
  t.match(lines(stderr), [{ event: 'error', code: 'WSLB_UNKNOWN_BACKEND' }])
})

t.test('a drain that waits does not hold up the stop, and hears of it', async (t) => {
  const { wslb, connect, begin } = await running(t, ['blue', 'green'], { drain: { deadline: '200ms' } })
  await connect(2)
  const drain = begin('drain', 'blue', '--over', '1h', '--deadline', '2h')
  await drain.printed(/draining blue/)
  wslb.kill('SIGTERM')
  t.match(await wslb.ended, { code: 0, signal: null })
  const { code, stdout, stderr } = await drain.ended
  t.ok(code === 1 ? /broke off/.test(stderr) : /drained blue/.test(stdout), stdout + stderr)
})
