import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../support/clients.ts'
import { startRedis } from '../support/redis-server.ts'
import { run, Wslb } from './wslb.ts'

const CONFIG = `
import { readFileSync } from 'node:fs'
import { poll } from 'wslb'
async function directory() {
  return JSON.parse(readFileSync(new URL('./directory.json', import.meta.url), 'utf8'))
}
export default { backends: poll(directory, { every: '100ms' }), health: false }
`

t.test('start, status, check and plan tell of a source', async (t) => {
  const cwd = t.testdir({ 'lb.config.mjs': CONFIG, 'directory.json': '["http://127.0.0.1:1"]' })
  t.match(await run(['check'], { cwd }), {
    code: 0,
    stdout: 'lb.config.mjs is valid: 1 pool, 1 source, 1 listener\n',
  })
  t.match(await run(['plan'], { cwd }), {
    code: 0,
    stdout: /a start would do: backends of default from poll\(directory\); listens on \S+\n$/,
  })
  const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1'], { cwd })
  t.teardown(() => wslb.end())
  await wslb.ready()
  await wslb.logged(/backends of default from poll\(directory\): 1 added \(127\.0\.0\.1:1\)/)
  t.match(await run(['status'], { cwd }), {
    stdout: /\n\ndefault from poll\(directory\): last list 0 s ago\n$/,
  })
  t.match(await run(['plan'], { cwd }), { stdout: /^nothing would change .*: 1 kept\n$/ })

  writeFileSync(join(cwd, 'directory.json'), '["http://127.0.0.1:1", "foo"]')
  await wslb.logged(/backends of default stay as they are: poll\(directory\): backends\[1\]: got \W+foo/)
  t.match(await run(['status'], { cwd }), {
    stdout:
      /\n\ndefault from poll\(directory\): last list \d+ s ago; since then: backends\[1\]: got "foo".*\n$/,
  })
})

t.test('a start without a first list says that there are no backends yet', async (t) => {
  const cwd = t.testdir({
    'lb.config.mjs': `export default {
      backends: function directory() { throw new Error('no such directory') },
      discovery: { startTimeout: '100ms' },
    }`,
  })
  const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1'], { cwd })
  t.teardown(() => wslb.end())
  await wslb.logged(/pool default has no backends yet: poll\(directory\): no such directory/)
  await wslb.ready()
})

t.test('a start that cannot bind ends, though a source is connected', async (t) => {
  const server = await startRedis(t)
  await server.command('HSET', 'wslb:backends', 'a', '99999999999999 {"url":"http://127.0.0.1:1"}')
  const config = `import { redis } from 'wslb'
    export default { listen: { port: ${server.port}, host: '127.0.0.1' }, backends: redis({ url: '${server.url}' }) }`
  const cwd = t.testdir({ 'lb.config.mjs': config })
  t.match(await run(['start'], { cwd }), { code: 3 })
})

t.test('a start whose source has no list yet opens all the same, and answers 503', async (t) => {
  const config = `import { file } from 'wslb'
    export default { backends: file('./nowhere.yaml'), discovery: { startTimeout: '1s' } }`
  const cwd = t.testdir({ 'lb.config.mjs': config })
  const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1'], { cwd })
  t.teardown(() => wslb.end())
  t.match(await ask(await wslb.ready()), { status: 503, headers: { 'retry-after': /./ } })
  writeFileSync(join(cwd, 'nowhere.yaml'), '- http://127.0.0.1:1')
  await wslb.logged(/1 added \(127\.0\.0\.1:1\)/)
})
