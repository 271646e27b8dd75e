import { once } from 'node:events'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bundleConfig } from '../../lib/config/bundle.ts'
import { wsBackend } from '../support/backends.ts'
import { wsClient } from '../support/clients.ts'
import { said } from '../support/reload.ts'
import { Wslb } from '../cli/wslb.ts'
import { LONG_PATIENCE, PATIENCE } from './patience.ts'

t.setTimeout(LONG_PATIENCE)

const RELOADS = 1_000
/** Before anything is measured. */
const WARM_UP = 100
const SOCKETS = 10
/** How much more than the module cache alone the heap may grow: what of it is code that V8 keeps depends on time.*/
const FACTOR = 1.25

/** A config, every part of it its own in each generation; it answers how much heap is in use. */
const CONFIG = `
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { table } from './table.ts'

type Made = Record<string, WeakRef<object>[]>
const made: Made = (globalThis as { made?: Made }).made ??= {}

function note<T extends object>(name: string, value: T): T {
  ;(made[name] ??= []).push(new WeakRef(value))
  return value
}

async function measure() {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  for (let i = 0; i < 5; i++) {
    collectGarbage()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { heapUsed, external } = process.memoryUsage()
  const alive = Object.entries(made).map(([name, refs]) => [name, refs.filter((ref) => ref.deref()).length])
  return { heap: heapUsed + external, generations: made.signal!.length, alive: Object.fromEntries(alive) }
}

export default ({ signal }: { signal: AbortSignal }) => {
  const generation = made.signal?.length ?? 0
  note('signal', signal)
  return note('config', {
    backends: process.env.BACKEND ? [process.env.BACKEND] : [],
    balance: note('policy', { name: 'first', pick: (candidates: object[]) => candidates[0]! }),
    sticky: note('strategy', { name: 'none', find: () => undefined, bind: () => undefined }),
    health: { probe: note('probe', async () => void table.length), interval: '1h' },
    pools: { ['pool-' + generation]: { backends: table.slice(0, 3), balance: 'p2c', health: false } },
    hooks: note('hooks', {
      onRequest: async ({ path }: { path: string }) =>
        path === '/measure' ? { status: 200, body: JSON.stringify(await measure()) } : undefined,
    }),
    log: 'info',
  })
}
`
const TABLE = `export const table: string[] = [
${Array.from({ length: 20 }, (_, i) => `  'http://127.0.0.1:${1_000 + i}', // a backend of many`).join('\n')}
]
`

/** Imports and runs the same bundle as often, with nothing else in the process. */
const CONTROL = `
import { copyFileSync, rmSync } from 'node:fs'
import bundle from './bundle.mjs'

const measure = async (run) => {
  const { hooks } = run({ signal: new AbortController().signal })
  return JSON.parse((await hooks.onRequest({ path: '/measure' })).body).heap
}
let before
for (let n = 0; n < ${WARM_UP + RELOADS}; n++) {
  if (n === ${WARM_UP}) before = await measure(bundle)
  copyFileSync(new URL('bundle.mjs', import.meta.url), new URL('copy-' + n + '.mjs', import.meta.url))
  const { default: run } = await import('./copy-' + n + '.mjs')
  run({ signal: new AbortController().signal })
  rmSync(new URL('copy-' + n + '.mjs', import.meta.url))
}
console.log((await measure(bundle)) - before)
`

interface Measured {
  readonly heap: number
  readonly generations: number
  readonly alive: Record<string, number>
}

t.test(
  `${RELOADS} reloads of a TypeScript config keep what the module cache keeps, and no more`,
  { timeout: LONG_PATIENCE },
  async (t) => {
    const cwd = t.testdir({ 'lb.config.ts': CONFIG, 'table.ts': TABLE, 'control.mjs': CONTROL })
    const backend = await wsBackend(t)
    const wslb = new Wslb(['start', '--no-watch', '--port', '0', '--host', '127.0.0.1'], {
      cwd,
      env: { BACKEND: backend.url },
    })
    t.teardown(() => wslb.end())
    const url = await wslb.ready()
    const measure = async () => (await (await fetch(`${url}/measure`)).json()) as Measured
    const reload = async () => {
      const offset = wslb.stderr.length
      wslb.kill('SIGHUP')
      await wslb.logged(/"event":"config:re.*\n/, offset)
    }

    for (let n = 0; n < WARM_UP; n++) await reload()
    const before = await measure()
    const sockets = []
    for (let n = 0; n < RELOADS; n++) {
      await reload()
      // Each of them was opened under another config; none must hold it.
      if (n % (RELOADS / SOCKETS) === 0) sockets.push(await wsClient(t, url))
    }
    const after = await measure()
    t.equal(after.generations, WARM_UP + RELOADS + 1)
    t.notMatch(wslb.stderr, /config:reject/)
    t.same(Object.keys(after.alive).sort(), ['config', 'hooks', 'policy', 'probe', 'signal', 'strategy'])
    for (const [name, alive] of Object.entries(after.alive)) {
      t.ok(alive <= 2, `${name}: ${alive} of ${after.generations} are still there`)
    }
    for (const socket of sockets) t.equal(await said(socket, 'hello'), 'hello')

    const { code } = await bundleConfig(join(cwd, 'lb.config.ts'), cwd)
    writeFileSync(join(cwd, 'bundle.mjs'), code)
    const control = spawnSync(process.execPath, ['control.mjs'], { cwd, encoding: 'utf8', timeout: PATIENCE })
    const [growth, cached] = [after.heap - before.heap, Number(control.stdout)]
    t.ok(cached > RELOADS * 1_000, `the module cache alone keeps ${cached} bytes ${control.stderr}`)
    t.ok(
      growth <= FACTOR * cached,
      `grown by ${growth} bytes, which is ${(growth / cached).toFixed(2)} times that`,
    )
    for (const socket of sockets) socket.close()
    await Promise.all(sockets.map((socket) => once(socket, 'close')))
  },
)
