import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, backend, type TestBackend } from './backend.ts'
import { Wslb, run } from './wslb.ts'

async function backends(t: Test, ...ids: string[]): Promise<TestBackend[]> {
  const all = await Promise.all(ids.map(backend))
  t.teardown(async () => {
    for (const one of all) await one[Symbol.asyncDispose]()
  })
  return all
}

function configOf(all: TestBackend[], more = ''): string {
  const list = all.map(({ id, url }) => `    { id: '${id}', url: '${url}' },\n`).join('')
  return `export default {\n  backends: [\n${list}  ],\n  balance: 'round-robin',\n  ${more}\n}\n`
}

function start(t: Test, config: string, args: string[] = ['--port', '0'], env: Record<string, string> = {}) {
  const cwd = t.testdir({ 'lb.config.ts': config })
  const wslb = new Wslb(['start', ...args], { cwd, env })
  t.teardown(() => wslb.end())
  const edit = (text: string) => writeFileSync(join(cwd, 'lb.config.ts'), text)
  return { wslb, edit, cwd }
}

async function seen(url: string, requests = 8): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: requests }, () => ask(url)))
  return [...new Set(answers)].sort()
}

t.test('stdout has the ready line and nothing else; the log is on stderr, a line per request', async (t) => {
  const { wslb } = start(t, configOf(await backends(t, 'blue')))
  const url = await wslb.ready()
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(await ask(url, '/hello?token=s3cret'), 'blue')
  const [line] = await wslb.logged(/^.*request:done.*$/m)
  t.match(JSON.parse(line), { level: 'info', method: 'GET', path: '/hello', status: 200, backend: 'blue' })
  wslb.kill('SIGTERM')
  const { code, stdout, stderr } = await wslb.ended
  t.equal(code, 0)
  t.equal(stdout, `wslb ready ${url}\n`)
  t.notMatch(stderr, /s3cret/)
})

t.test('--json makes the ready line JSON; tls makes it https', async (t) => {
  const { wslb } = start(t, configOf(await backends(t, 'blue'), `listen: { port: 1, tls: 'self-signed' },`), [
    '--port=0',
    '--json',
  ])
  const url = await wslb.ready()
  t.match(url, /^https:\/\/127\.0\.0\.1:\d+$/)
  t.same(JSON.parse(wslb.stdout), { event: 'ready', url })
})

t.test('the host of the ready line is the one asked for', async (t) => {
  const config = configOf(await backends(t, 'blue'))
  const { wslb } = start(t, config, ['--port', '0', '--host', 'localhost'])
  t.match(await wslb.ready(), /^http:\/\/localhost:\d+$/)
  const other = start(t, config, ['--port', '0', '--host', '::'])
  t.match(await other.wslb.ready(), /^http:\/\/\[::1\]:\d+$/)
})

t.test('flags win over the environment, that over the file', async (t) => {
  const config = configOf(await backends(t, 'blue'), `listen: { port: 1, host: '127.0.0.3' }, log: 'fatal',`)
  const env = { WSLB_PORT: '0', WSLB_HOST: '127.0.0.2', WSLB_JSON: '1', WSLB_LOG_LEVEL: 'info' }
  const fromEnvironment = start(t, config, [], env)
  const url = await fromEnvironment.wslb.ready()
  t.match(url, /^http:\/\/127\.0\.0\.2:/)
  t.match(fromEnvironment.wslb.stdout, /^\{/)
  await ask(url)
  await fromEnvironment.wslb.logged(/request:done/)

  const fromFlags = start(t, config, ['--host', '127.0.0.1', '--no-json', '--log-level', 'silent'], env)
  const other = await fromFlags.wslb.ready()
  t.match(fromFlags.wslb.stdout, /^wslb ready http:\/\/127\.0\.0\.1:/)
  await ask(other)
  fromFlags.wslb.kill('SIGINT')
  t.match(await fromFlags.wslb.ended, { code: 0, stderr: '' })
})

t.test('a port that is taken is exit code 3', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const { code, stdout, stderr } = await run(['start', '--host', '127.0.0.1', '--port', String(port)], {
    cwd,
  })
  t.equal(code, 3)
  t.equal(stdout, '')
  t.match(stderr, new RegExp(String(port)))
})

t.test('what has the port may be the same config, started before: that is said', async (t) => {
  const { wslb, cwd } = start(t, configOf([]), ['--port', '0', '--host', '127.0.0.1'])
  const { port } = new URL(await wslb.ready())
  const second = await run(['start', '--port', port, '--host', '127.0.0.1'], { cwd })
  t.match(second, { code: 3, stdout: '' })
  t.match(
    second.stderr,
    new RegExp(`process ${wslb.process.pid} serves this config already: .*${port}.*EADDRINUSE`),
  )
})

t.test('an edit brings a new backend into service, on the port that the flag chose', async (t) => {
  const [blue, green] = (await backends(t, 'blue', 'green')) as [TestBackend, TestBackend]
  const { wslb, edit } = start(t, configOf([blue]))
  const url = await wslb.ready()
  t.same(await seen(url), ['blue'])
  edit(configOf([blue, green]))
  await wslb.logged(/config reloaded: 1 added \(green\), 1 kept/)
  t.same(await seen(url), ['blue', 'green'])
})

t.test('a bad edit changes nothing and says file and line in one log line; mending it helps', async (t) => {
  const [blue, green] = (await backends(t, 'blue', 'green')) as [TestBackend, TestBackend]
  const { wslb, edit } = start(t, configOf([blue]))
  const url = await wslb.ready()
  let offset = 0
  const bad: [config: string, reason: RegExp][] = [
    [`${configOf([blue])}}`, /^lb\.config\.ts:8:1: /],
    [configOf([blue], `blance: 'random',`), /^lb\.config\.ts:6: blance: .*did you mean/],
    ['\nthrow new Error("no database")', /^lb\.config\.ts:2:\d+: no database/],
  ]
  for (const [config, reason] of bad) {
    edit(config)
    const found = await wslb.logged(/^.*config rejected.*\n/m, offset)
    offset += found.index + found[0].length
    t.match(JSON.parse(found[0]), { level: 'error', event: 'config:reject', reason })
    t.same(await seen(url), ['blue'])
  }
  t.equal(wslb.stderr.match(/config rejected/g)!.length, bad.length, 'one line each')
  edit(configOf([blue, green]))
  await wslb.logged(/config reloaded/, offset)
  t.same(await seen(url), ['blue', 'green'])
})

t.test('a reload that wants a taken port changes nothing, and is told once', async (t) => {
  const [blue, green] = (await backends(t, 'blue', 'green')) as [TestBackend, TestBackend]
  const { wslb, edit } = start(t, configOf([blue]))
  const url = await wslb.ready()
  const taken = new URL(green.url).port
  edit(configOf([blue, green], `listen: [{ port: 0 }, { port: ${taken}, host: '127.0.0.1' }],`))
  const [line] = await wslb.logged(/^.*config rejected.*\n/m)
  const reason = new RegExp(`127\\.0\\.0\\.1:${taken}: .*EADDRINUSE.*choose another with listen\\.port`)
  t.match(JSON.parse(line), { level: 'error', code: 'WSLB_LISTEN', reason })
  t.same(await seen(url), ['blue'])
  wslb.kill('SIGTERM')
  const { stderr } = await wslb.ended
  t.equal(stderr.match(/config rejected/g)!.length, 1)
})

t.test('with --no-watch only SIGHUP reloads', async (t) => {
  const [blue, green, red] = (await backends(t, 'blue', 'green', 'red')) as [
    TestBackend,
    TestBackend,
    TestBackend,
  ]
  const { wslb, edit } = start(t, configOf([blue]), ['--port', '0', '--no-watch'])
  const url = await wslb.ready()
  edit(configOf([blue, green]))
  edit(configOf([blue, red]))
  wslb.kill('SIGHUP')
  await wslb.logged(/config reloaded: 1 added \(red\)/)
  t.same(await seen(url), ['blue', 'red'])
  t.equal(wslb.stderr.match(/config reloaded/g)!.length, 1)
})

t.test('the level of the log follows the file', async (t) => {
  const all = await backends(t, 'blue')
  const { wslb, edit } = start(t, configOf(all, `log: 'error',`))
  const url = await wslb.ready()
  await ask(url, '/before')
  edit(configOf(all, `log: 'info',`))
  await wslb.logged(/config reloaded/)
  await ask(url, '/after')
  await wslb.logged(/request:done.*\/after/)
  t.notMatch(wslb.stderr, /before/)
})

t.test("a logger of the config's own gets the lines", async (t) => {
  const logger = `const write = (fields, message) => process.stderr.write('MINE ' + message + '\\n')\n`
  const config = configOf(
    await backends(t, 'blue'),
    'log: { debug: write, info: write, warn: write, error: write },',
  )
  const { wslb } = start(t, logger + config)
  await ask(await wslb.ready(), '/x')
  await wslb.logged(/^MINE GET \/x 200 blue/m)
  t.notMatch(wslb.stderr, /^\{/m)
})

t.test('a reader that has left does not end the balancer', async (t) => {
  const { wslb } = start(t, configOf(await backends(t, 'blue')))
  const url = await wslb.ready()
  wslb.process.stderr!.destroy()
  wslb.process.stdout!.destroy()
  t.same(await seen(url), ['blue'])
  t.same(await seen(url), ['blue'])
  wslb.kill('SIGTERM')
  t.match(await wslb.ended, { code: 0 })
})
