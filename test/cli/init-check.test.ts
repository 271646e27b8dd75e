import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from './backend.ts'
import { Wslb, run } from './wslb.ts'

for (const [kind, manifest] of [
  ['a module', '{ "type": "module" }'],
  ['a CommonJS', '{ "type": "commonjs" }'],
  ['a plain', '{}'],
] as const) {
  t.test(`what init writes runs at once in ${kind} package`, async (t) => {
    const cwd = t.testdir({ 'package.json': manifest })
    t.match(await run(['init'], { cwd }), { code: 0, stdout: 'wrote lb.config.ts; next: npx wslb start\n' })
    t.match(await run(['check'], { cwd }), {
      code: 0,
      stdout: 'lb.config.ts is valid: 1 pool, 2 backends, 1 listener\n',
    })
    const wslb = new Wslb(['start', '--port', '0'], { cwd })
    t.teardown(() => wslb.end())
    t.match(await ask(await wslb.ready(), '/x'), /^Hello from (blue|green): GET \/x/)
    wslb.kill('SIGTERM')
    t.match(await wslb.ended, { code: 0, signal: null })
  })
}

t.test('what init writes keeps its backends, whatever else is saved', async (t) => {
  const cwd = t.testdir()
  await run(['init'], { cwd })
  const wslb = new Wslb(['start', '--port', '0'], { cwd })
  t.teardown(() => wslb.end())
  await wslb.ready()
  const file = join(cwd, 'lb.config.ts')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace("balance: 'random'", "balance: 'round-robin'"))
  await wslb.logged(/config reloaded: 2 kept/)
  writeFileSync(file, text.replace("demo('green')", "demo('green'), demo('red')"))
  await wslb.logged(/config reloaded: 1 added \(red\), 2 kept/)
})

t.test('init never writes over a file', async (t) => {
  const cwd = t.testdir({ 'lb.config.ts': '// mine' })
  t.match(await run(['init'], { cwd }), {
    code: 1,
    stdout: '',
    stderr: /lb\.config\.ts.*nothing was written/,
  })
  t.equal(readFileSync(join(cwd, 'lb.config.ts'), 'utf8'), '// mine')
})

t.test('check counts, for people and for programs', async (t) => {
  const config = {
    listen: [80, 443],
    pools: { a: { backends: ['http://x:1'] }, b: { backends: [] } },
    routes: [{ pool: 'a' }],
  }
  const cwd = t.testdir({ 'lb.config.json': JSON.stringify(config) })
  t.match(await run(['check'], { cwd }), {
    code: 0,
    stdout: 'lb.config.json is valid: 2 pools, 1 backend, 2 listeners\n',
  })
  const { stdout } = await run(['check', '--json'], { cwd })
  const counts = { pools: 2, backends: 1, sources: 0, listeners: 2 }
  t.same(JSON.parse(stdout), { event: 'valid', file: 'lb.config.json', ...counts })
})

t.test('every problem of a config is told, a line each, with its place and path', async (t) => {
  const cwd = t.testdir({
    'lb.config.ts': `export default {\n  backends: ['nonsense'],\n  blance: 'random',\n}\n`,
  })
  for (const command of ['check', 'start']) {
    const { code, stdout, stderr } = await run([command], { cwd })
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^lb\.config\.ts:2: backends\[0\].*$/m)
    t.match(stderr, /^lb\.config\.ts:3: blance.*did you mean "balance"/m)
  }
  const { stderr } = await run(['check', '--json'], { cwd })
  t.match(
    stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [{ code: 'WSLB_CONFIG_INVALID', path: /^backends\[0\]/ }, { path: 'blance' }],
  )
})

t.test('a config that is missing, broken or throws says where, and is exit code 1', async (t) => {
  t.match(await run(['start'], { cwd: t.testdir() }), { code: 1, stderr: /no lb\.config.*wslb init/ })
  const broken = t.testdir({ 'lb.config.ts': 'export default {\n  backends: [,\n' })
  t.match(await run(['start'], { cwd: broken }), { code: 1, stderr: /^lb\.config\.ts:\d+:\d+: / })
  const throwing = t.testdir({ 'lb.config.mjs': '\nthrow new Error("no database")\n' })
  t.match(await run(['start'], { cwd: throwing }), { code: 1, stderr: /^lb\.config\.mjs:2:\d+: no database/ })
})
