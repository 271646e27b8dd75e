import t from 'tap'
import { lines, running } from './running.ts'

t.test('status shows pools, backends, tunnels and drains, for people and for programs', async (t) => {
  const { wslb, connect, run } = await running(t, ['blue', 'green'])
  await connect(3)
  const url = await wslb.ready()
  const { code, stdout, stderr } = await run('status')
  t.match({ code, stderr }, { code: 0, stderr: '' })
  const [title, listeners, blank, head, blue, green, ...rest] = stdout.split('\n')
  t.match(title, new RegExp(`^lb\\.config\\.json: process ${wslb.process.pid}, up \\d+ s$`))
  t.equal(listeners, `${url}: 3 connections`)
  t.equal(blank, '')
  t.match(head, /^pool {5}backend {2}health {2}state {3}tunnels {2}load {2}url$/)
  t.match(blue, /^default {2}blue {5}up {6}active {8}2 {5}2 {2}http:\/\/127\.0\.0\.1:\d+$/)
  t.match(green, /^default {2}green {4}up {6}active {8}1 {5}1 {2}http/)
  t.same(rest, [''])

  const drain = await run('drain', 'blue', '--no-wait', '--over', '1h', '--deadline', '2h')
  t.match(drain, { code: 0, stdout: /^draining blue: 2 left, 7200 s\n$/, stderr: '' })
  t.match(await run('status'), {
    stdout: /\ndefault {2}blue .* draining [^]*\n\ndraining blue: 2 left, 7[12]\d\d s\n$/,
  })

  const [json] = lines((await run('status', '--json')).stdout)
  t.match(json, {
    event: 'status',
    config: /lb\.config\.json$/,
    pid: wslb.process.pid,
    uptime: Number,
    pools: [{ name: 'default' }],
    backends: [{ id: 'blue', adminState: 'draining', tunnels: 2 }, { id: 'green' }],
    drains: [{ target: 'blue', left: 2 }],
    connections: 3,
  })
  t.notOk('tunnels' in json!)
  const [full] = lines((await run('status', '--json', '--tunnels')).stdout)
  t.match(full, { tunnels: [{ backend: 'blue' }, { backend: 'green' }, { backend: 'blue' }] })
  t.match(await run('status', '--tunnels'), {
    stdout: /\n\ntunnel {2}pool {5}backend {2}route .*\n {5}\d {2}default {2}blue .* 127\.0\.0\.1 {2}\d+ s/,
  })
})

t.test('while it stops, status says so, and nothing can be drained or restored', async (t) => {
  const { wslb, connect, run } = await running(t, ['blue', 'green'], { drain: { deadline: '1h' } })
  const [client] = await connect(1)
  // It does not read, so it does not answer a Close.
  client!.pause()
  t.match(await run('drain', 'green', '--no-wait'), { code: 0, stdout: 'drained green\n' })
  t.match(await run('status'), { stdout: /\ndefault {2}green .* drained +0 / })
  wslb.kill('SIGTERM')
  await wslb.logged(/stopping/)
  const { stdout } = await run('status')
  t.match(stdout, /^lb\.config\.json: process \d+, up \d+ s, stopping\n1 connections\n/)
  t.match(stdout, /\nstopping: 1 left, \d+ s\n$/)
  for (const command of ['drain', 'restore']) {
    const refused = { code: 1, stdout: '', stderr: 'the balancer is shutting down\n' }
    t.match(await run(command, 'blue'), refused, command)
  }
  wslb.kill('SIGTERM')
  t.match(await wslb.ended, { code: 0 })
})
