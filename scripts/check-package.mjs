// Packs wslb, installs it as a user would, and runs it from there: npx wslb init && npx wslb start.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check, finish } from './counter.mjs'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const temporary = mkdtempSync(join(tmpdir(), 'wslb-package-'))

const CONSUMER = `
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { registerBackend, type Registration } from 'wslb/register'
import { createRelay } from 'wslb/relay'
import { createAdapter } from 'wslb/relay/socket.io'
import { createBalancer, defineConfig, loadConfig, WslbError, type Config, type Plan } from 'wslb'

const config = defineConfig({ listen: 0, backends: ['http://127.0.0.1:1', { id: 'b', url: 'http://127.0.0.1:2' }] })
export async function run(): Promise<Plan> {
  await using balancer = createBalancer(config)
  const [address] = await balancer.listen()
  const port: number = address!.port
  balancer.on('backend:down', ({ backend, reason }) => console.log(backend.toUpperCase(), reason, port))
  const next: Config = await loadConfig('./lb.config.ts')
  try {
    return await balancer.reload(next)
  } catch (error) {
    throw error instanceof WslbError ? new Error(error.code) : error
  }
}

export const register = (url: string): Registration => registerBackend({ redis: 'redis://127.0.0.1', url })

export const io = new Server({ adapter: createAdapter(createRelay(), { onGap: 'keep' }) })

const embedded = createBalancer(config)
createServer((request, response) => {
  const choice = embedded.pick(request)
  response.writeHead(200, choice.headers).end(choice.backend.id)
  choice.release()
})

// A typo is found in every form, and a literal keeps its type in every form.
// @ts-expect-error lisen
defineConfig({ backends: [], lisen: 0 })
// @ts-expect-error lisen
defineConfig(({ signal }) => ({ backends: [], lisen: signal.aborted ? 0 : 1 }))
// @ts-expect-error lisen
defineConfig(async ({ signal }) => ({ backends: [], lisen: signal.aborted ? 0 : 1 }))
// @ts-expect-error rondom
defineConfig(async () => ({ backends: [], balance: 'rondom' }))
// @ts-expect-error no config at all
defineConfig(async () => 'http://127.0.0.1:1')
defineConfig(({ signal }) => {
  return { backends: [], health: { interval: signal.aborted ? '1s' : '2s' } }
})
defineConfig(async ({ previous }) => {
  const next = { backends: [], balance: { name: 'first', pick: (candidates) => candidates[0]! } } satisfies Config
  return previous ?? { ...next, sticky: ['cookie'], hooks: { onRequest: ({ path }) => void path.length } }
})
`

function run(command, args, cwd, timeout = 300_000) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, timeout, encoding: 'utf8' })
  return { ok: status === 0, stdout: stdout ?? '', output: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` }
}

/** Starts it, asks it, stops it. @returns what went wrong */
async function serves(cwd) {
  // A group of its own, so that nothing outlives a failure: npx is a chain of processes.
  // npm runs the command through a shell; dash stays in between and dies of our signal without passing it on.
  const env = { ...process.env, npm_config_script_shell: 'bash' }
  const child = spawn('npx', ['wslb', 'start', '--port', '0', '--host', '127.0.0.1'], {
    cwd,
    env,
    detached: true,
  })
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)))
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 60_000)
  let output = ''
  try {
    const url = await new Promise((resolve) => {
      const look = (data) => {
        output += data
        const [, found] = /^wslb ready (http:\S+)$/m.exec(output) ?? []
        if (found) resolve(found)
      }
      child.stdout.on('data', look)
      child.stderr.on('data', look)
      void ended.then(() => resolve(undefined))
    })
    if (!url) return output
    const answer = await (await fetch(url, { headers: { connection: 'close' } })).text()
    child.kill('SIGTERM')
    const code = await ended
    return answer.startsWith('Hello from') && code === 0
      ? undefined
      : `${output}\nanswer: ${answer}\nexit: ${code}`
  } finally {
    clearTimeout(timer)
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGKILL')
    await ended
  }
}

try {
  const packed = run('npm', ['pack', '--pack-destination', temporary, '--json'], '.')
  if (!check('npm pack', packed.ok, packed.output)) throw new Error('nothing to install')
  const [{ filename, files }] = JSON.parse(/^\[[^]*/m.exec(packed.stdout)[0])
  const stray = files
    .map(({ path }) => path)
    .filter(
      (path) =>
        !/^(dist\/|docs\/|examples\/rolling-deploy\.sh$|package\.json|README|LICENSE|CHANGELOG)/.test(path),
    )
  check('the package holds what it should', stray.length === 0, stray.join('\n'))
  const shipped = new Set(files.map(({ path }) => path))
  const missing = ['docs/deploying.md', 'examples/rolling-deploy.sh'].filter((path) => !shipped.has(path))
  check('docs and the script are in it', missing.length === 0, missing.join('\n'))

  const first = join(temporary, 'first')
  mkdirSync(first)
  writeFileSync(join(first, 'package.json'), '{}')
  const others = ['@types/node', 'socket.io'].map((name) => `${name}@${devDependencies[name]}`)
  const installed = run(
    'npm',
    ['install', '--no-audit', '--no-fund', join(temporary, filename), ...others],
    first,
  )
  if (!check('npm install of the package', installed.ok, installed.output)) throw new Error('nothing to run')

  for (const type of ['module', 'commonjs', undefined]) {
    const name = type ? `"type": "${type}"` : 'no "type"'
    const cwd = join(temporary, type ?? 'none')
    cpSync(first, cwd, { recursive: true, verbatimSymlinks: true })
    const manifest = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'))
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ ...manifest, type }))
    const init = run('npx', ['wslb', 'init'], cwd, 60_000)
    check(`npx wslb init, ${name}`, init.ok, init.output)
    const trouble = await serves(cwd)
    check(`npx wslb start, ${name}`, trouble === undefined, trouble)

    writeFileSync(join(cwd, 'consumer.mts'), CONSUMER)
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    }
    writeFileSync(
      join(cwd, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.mts', 'lb.config.ts'] }),
    )
    const compiled = run(process.execPath, [tsc, '-p', cwd], cwd)
    check(`its types compile, ${name}`, compiled.ok, compiled.output)
  }
} catch (error) {
  check('package', false, error.stack)
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
finish()
