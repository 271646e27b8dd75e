import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type WebSocket } from 'ws'
import { Wslb } from '../cli/wslb.ts'
import { wsBackend } from '../support/backends.ts'
import { wsClient } from '../support/clients.ts'
import { ROOT } from '../support/tree.ts'
import { said } from '../support/reload.ts'

const page = readFileSync(new URL('docs/deploying.md', ROOT), 'utf8')

/** The first block of that language, behind this heading. */
function block(heading: string, language: string): string {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`))
  return new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(section)![1]!
}

/** Saves the config of the page's user, who has servers elsewhere, and waits for what the log says. */
async function save(wslb: Wslb, file: string, text: string): Promise<string> {
  const offset = wslb.stderr.length
  writeFileSync(file, text)
  const [line] = await wslb.logged(/"event":"config:re.*\n/, offset)
  return line
}

async function start(t: Test, config: string) {
  const cwd = t.testdir({ 'lb.config.ts': config })
  const wslb = new Wslb(['start', '--port', '0', '--host', '127.0.0.1'], { cwd })
  t.teardown(() => wslb.end())
  return { wslb, cwd, file: join(cwd, 'lb.config.ts'), url: await wslb.ready() }
}

/** A backend that says its name when it is spoken to. */
async function named(t: Test, name: string): Promise<string> {
  const { url } = await wsBackend(t, (socket) => socket.on('message', () => socket.send(name)))
  return url
}

async function closing(client: WebSocket): Promise<number> {
  const [code] = (await once(client, 'close')) as [number]
  return code
}

t.test('the script of the page is the one that the proof runs', async (t) => {
  const script = readFileSync(new URL('examples/rolling-deploy.sh', ROOT), 'utf8')
  t.equal(block('Restart one backend after the other', 'sh'), script)
})

t.test('by an edit: a backend that is taken out is drained, and serves when it is put back', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const config = (...backends: string[]) =>
    `export default { backends: ${JSON.stringify(backends)}, drain: { over: 100 }, health: false }`
  const { wslb, file, url } = await start(t, config(blue))
  const client = await wsClient(t, url)
  t.equal(await said(client, 'who?'), 'blue')
  const closed = closing(client)
  t.match(await save(wslb, file, config(green)), /1 added .* 1 removed .* 1 drained/)
  t.equal(await closed, 1012)
  const next = await wsClient(t, url)
  t.equal(await said(next, 'who?'), 'green')
  t.match(await save(wslb, file, config(green, blue)), /1 added .* 1 kept; 1 tunnels kept, 0 drained/)
  t.equal(await said(next, 'who?'), 'green')
  next.terminate()
})

t.test('the script looks at all it is given before it drains anything', async (t) => {
  const script = fileURLToPath(new URL('examples/rolling-deploy.sh', ROOT))
  const deploy = (...args: string[]) => {
    const env = { ...process.env, WSLB: 'echo wslb', RESTART: 'echo restart', RETRIES: '1' }
    const { status, stdout, stderr } = spawnSync('sh', [script, ...args], { env, encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  for (const args of [[], ['blue=http://127.0.0.1:1', 'green'], ['blue='], ['=http://127.0.0.1:1']])
    t.match(deploy(...args), { status: 2, stdout: '', stderr: /^usage: [^\n]*\n$/ })
  t.match(deploy('blue=nowhere://127.0.0.1', 'green=nowhere://127.0.0.1'), {
    status: 1,
    stdout: 'wslb drain blue\nrestart chat-blue\n',
    stderr: /^blue is not well after its restart: [^\n]*\n$/,
  })
})

t.test('blue and green, as the page has it, round after round', async (t) => {
  const [blue, green] = [await named(t, 'blue'), await named(t, 'green')]
  const config = block('Blue and green', 'ts')
    .replaceAll(/http:\/\/10\.0\.0\.\d:3000/g, blue)
    .replaceAll(/http:\/\/10\.0\.1\.\d:3000/g, green)
    .replace(`['${blue}', '${blue}']`, `['${blue}']`)
    .replace(`['${green}', '${green}']`, `['${green}']`)
  const { wslb, cwd, file, url } = await start(t, config)
  const command = async (...args: string[]) => (await new Wslb(args, { cwd }).ended).stdout
  let old = await wsClient(t, url)
  t.equal(await said(old, 'who?'), 'blue')
  t.match(config, "const live = 'blue'")
  for (const [from, to] of [
    ['blue', 'green'],
    ['green', 'blue'],
    ['blue', 'green'],
  ] as const) {
    t.match(await command('restore', `${to}/*`), `restored ${to}/`)
    const reloaded = await save(wslb, file, config.replace("live = 'blue'", `live = '${to}'`))
    t.match(reloaded, /1 tunnels kept, 0 drained/)
    const fresh = await wsClient(t, url)
    t.equal(await said(fresh, 'who?'), to)
    t.equal(await said(old, 'still there?'), from)

    const closed = closing(old)
    t.match(await command('drain', `${from}/*`, '--over', '100ms'), `drained ${from}/*`)
    t.equal(await closed, 1012)
    t.equal(await said(fresh, 'still there?'), to)
    old = fresh
  }
  old.terminate()
})
