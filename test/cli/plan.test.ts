import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { echo, lines, running } from './running.ts'
import { run } from './wslb.ts'

t.test(
  'a plan counts the tunnels of the running process, changes nothing, and the reload does just that',
  async (t) => {
    const { connect, write, run, status } = await running(t, ['blue', 'green'])
    const clients = await connect(3)
    const before = await status()
    write('lb.config.json', ['blue', 'red'], { drain: { over: '100ms' } })
    const what =
      '1 added (red), 1 removed (green), 1 kept; changed: drain; 2 tunnels kept, 1 drained over 0.1 s'
    t.match(await run('plan'), { code: 0, stdout: `a reload would do: ${what}\n`, stderr: '' })
    const json = await run('plan', '--json')
    t.match(lines(json.stdout), [
      {
        event: 'plan',
        file: 'lb.config.json',
        running: true,
        ...{ added: ['red'], removed: ['green'], changed: [], kept: ['blue'] },
        ...{ tunnelsKept: 2, tunnelsDrained: 1, over: 100 },
      },
    ])
    const after = await status()
    t.same(
      [after.backends, after.pools, after.listeners, after.drains],
      [before.backends, before.pools, before.listeners, before.drains],
    )
    t.equal(after.tunnels?.length, 3)
    for (const client of clients) t.equal(await echo(client, 'still here'), 'still here')

    const closed = new Promise((resolve) => clients[1]!.once('close', resolve))
    t.match(await run('reload'), { code: 0, stdout: `config reloaded: ${what}\n`, stderr: '' })
    t.equal(await closed, 1012)
    t.equal(await echo(clients[0]!, 'still here'), 'still here')
  },
)

t.test('a candidate can be tried beside the config', async (t) => {
  const { write, run } = await running(t, ['blue', 'green'])
  write('candidate.json', ['blue'])
  t.match(await run('plan', 'candidate.json'), {
    code: 0,
    stdout: 'a reload would do: 1 removed (green), 1 kept\n',
  })
  t.match(await run('plan'), {
    code: 0,
    stdout: 'nothing would change (functions are not compared): 2 kept\n',
  })
  write('moved.json', ['blue', 'green'], { listen: 1, balance: 'random' })
  t.match(
    await run('plan', 'moved.json'),
    { stdout: /^a reload would do: 2 kept; changed: balance\n$/ },
    '--port and --host win',
  )
  t.match(await run('plan', 'absent.json'), { code: 1, stdout: '', stderr: /there is no .*absent\.json/ })
})

t.test('what a config starts for a plan ends with it', async (t) => {
  const { cwd, wslb, run } = await running(t, ['blue'])
  const config = `export default ({ signal, previous }) => {
    process.stderr.write('PREVIOUS ' + previous.backends.length + '\\n')
    signal.addEventListener('abort', () => process.stderr.write('ABORTED\\n'))
    return { backends: [] }
  }\n`
  writeFileSync(join(cwd, 'candidate.mjs'), config)
  t.match(await run('plan', 'candidate.mjs'), {
    code: 0,
    stdout:
      /^a reload would do: 1 removed \(blue\).*\nwarning: pool default: no backends; it will answer 503\n$/,
  })
  await wslb.logged(/^PREVIOUS 1\nABORTED$/m)
})

t.test('a plan of a config that is wrong says file and line, and nothing changes', async (t) => {
  const { cwd, wslb, connect, run, status } = await running(t, ['blue'])
  const [client] = await connect(1)
  writeFileSync(join(cwd, 'broken.ts'), 'export default {\n  backends: [,\n')
  writeFileSync(join(cwd, 'lb.config.json'), '{\n  "backends": ["nonsense"],\n  "blance": "random"\n}\n')
  t.match(await run('plan', 'broken.ts'), { code: 1, stdout: '', stderr: /^broken\.ts:\d+:\d+: / })
  for (const command of ['plan', 'reload']) {
    const { code, stdout, stderr } = await run(command)
    t.match([code, stdout], [1, ''], command)
    t.match(
      stderr,
      /^lb\.config\.json:2: backends\[0\]: .*\nlb\.config\.json:3: blance: .*did you mean "balance"/,
    )
  }
  const { stderr } = await run('plan', '--json')
  t.match(lines(stderr), [
    { event: 'error', code: 'WSLB_CONFIG_INVALID', path: 'backends[0]', message: /^lb\.config\.json:2: / },
    { event: 'error', path: 'blance' },
  ])
  t.equal(wslb.stderr.match(/config rejected/g)?.length, 1, 'the log tells of the reload only')
  t.equal(await echo(client!, 'still here'), 'still here')
  t.match((await status()).backends, [{ id: 'blue', adminState: 'active', tunnels: 1 }])
})

t.test('where nobody runs, everything would be added', async (t) => {
  const cwd = t.testdir({
    'lb.config.json':
      '{ "pools": { "chat": { "backends": ["http://a:1", "http://b:1"] } }, "routes": [{ "pool": "chat" }] }',
    'broken.json': '{',
    'invalid.json': '{\n  "backends": [1]\n}',
  })
  t.match(await run(['plan'], { cwd }), {
    code: 0,
    stdout:
      'nobody serves lb.config.json; a start would do: 2 added (chat/a:1, chat/b:1); listens on http://0.0.0.0:8080\n',
  })
  const { stdout } = await run(['plan', '--json'], { cwd })
  t.match(lines(stdout), [{ event: 'plan', running: false, added: ['chat/a:1', 'chat/b:1'], over: 30_000 }])
  t.match(await run(['plan', 'broken.json'], { cwd }), {
    code: 1,
    stdout: '',
    stderr: /^broken\.json:1:\d+: /,
  })
  t.match(await run(['plan', 'invalid.json'], { cwd }), {
    code: 1,
    stderr: /^invalid\.json:2: backends\[0\]/,
  })
  t.match(readFileSync(join(cwd, 'lb.config.json'), 'utf8'), /^\{ "pools"/)
})
