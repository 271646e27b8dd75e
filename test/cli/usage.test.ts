import { readFileSync } from 'node:fs'
import t from 'tap'
import { run } from './wslb.ts'

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

t.test('help and version go to stdout', async (t) => {
  const cwd = t.testdir()
  const help = await run(['--help'], { cwd })
  t.equal(help.code, 0)
  for (const word of ['init', 'start', 'check', '--config', '--port', '--log-level', '--json']) {
    t.ok(help.stdout.includes(word), word)
  }
  const { stdout } = await run(['drain', '--help'], { cwd })
  t.match(stdout, /--over.*--order .*idle-first · oldest-first · newest-first\s+· random/s)
  t.notMatch(stdout, /--(port|host|log-level|watch)/, 'only what concerns it')
  t.match(await run(['--version'], { cwd }), { code: 0, stdout: `${version}\n` })
})

t.test('help and status are there at once: they load nothing that builds configs or proxies', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  const hook = `import { writeSync } from 'node:fs'
    export const load = (url, context, next) => (writeSync(2, url + '\\n'), next(url, context))`
  const program = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`
  const register = `import { register } from 'node:module'; register(${JSON.stringify(program(hook))})`
  const env = { NODE_OPTIONS: `--import=${program(register)}` }
  for (const command of ['--help', 'status']) {
    const { stderr } = await run([command], { cwd, env })
    t.match(stderr, /lib\/cli\/main\.js/, 'what is loaded is heard of')
    t.notMatch(stderr, /node_modules\/(esbuild|undici|zod)\//, command)
  }
  t.match((await run(['check'], { cwd, env })).stderr, /node_modules\/esbuild\//)
})

t.test('what makes no sense is exit code 2, and says on stderr what was meant', async (t) => {
  const cwd = t.testdir()
  const cases: [args: string[], stderr: RegExp][] = [
    [[], /which command\?.*init, start, check/],
    [['strat'], /unknown command strat, did you mean "start"\? \(npx wslb --help\)/],
    [['start', '--prot', '80'], /unknown flag --prot, did you mean "--port"\?/],
    [['start', 'extra'], /^start takes nothing; .*; got extra/],
    [['start', '--port', '70000'], /^port: expected 0 to 65535, got "70000"\n$/],
    [['start', '--log-level', 'loud'], /^log-level: expected one of .*, got "loud"\n$/],
  ]
  for (const [args, stderr] of cases) {
    t.match(await run(args, { cwd }), { code: 2, stdout: '', stderr }, args.join(' '))
  }
})

t.test('a variable that is no flag is nobody’s business; a bad value of one is', async (t) => {
  const cwd = t.testdir({ 'lb.config.json': '{ "backends": [] }' })
  t.match(await run(['check'], { cwd, env: { WSLB_SECRET_OF_MINE: 'x' } }), { code: 0 })
  t.match(await run(['check'], { cwd, env: { WSLB_PORT: 'http' } }), {
    code: 2,
    stderr: /port: expected 0 to 65535/,
  })
  t.match(await run(['check'], { cwd, env: { WSLB_WATCH: 'perhaps' } }), {
    code: 2,
    stderr: /WSLB_WATCH=perhaps/,
  })
})

t.test('with --json an error is a JSON line', async (t) => {
  const { code, stderr } = await run(['start', '--prot', '80', '--json'], { cwd: t.testdir() })
  t.equal(code, 2)
  t.match(JSON.parse(stderr), { event: 'error', message: /--prot/ })
})
