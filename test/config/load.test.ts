import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { ConfigError } from '../../lib/core/errors.ts'
import { bundleConfig } from '../../lib/config/bundle.ts'
import { type Config, type ConfigContext } from '../../lib/config/config.ts'
import { findConfigFile } from '../../lib/config/find.ts'
import { importBundle, placeOf } from '../../lib/config/import-bundle.ts'
import { loadConfigFile } from '../../lib/config/load.ts'
import { loadConfig } from '../../lib/config/load-config.ts'
import { ConfigLoadError } from '../../lib/config/load-error.ts'

type Tree = Parameters<typeof t.testdir>[0]

function context(): ConfigContext {
  return { signal: new AbortController().signal, previous: undefined }
}

/** Loads `lb.config.ts`, or another file, from a folder with these files. */
async function load(t: Test, files: Tree, name = 'lb.config.ts') {
  const dir = t.testdir(files)
  const loaded = await loadConfigFile(join(dir, name), context())
  t.same(temporaryFiles(dir), [], 'no temporary file is left')
  return { dir, ...loaded }
}

async function failure(t: Test, files: Tree, name = 'lb.config.ts') {
  const dir = t.testdir(files)
  const error = await loadConfigFile(join(dir, name), context()).then(
    () => t.fail('loaded'),
    (error: unknown) => error,
  )
  if (!(error instanceof ConfigLoadError)) throw error
  t.same(temporaryFiles(dir), [], 'no temporary file is left')
  return { dir, error, inputs: [...error.inputs.keys()].map((path) => path.slice(dir.length + 1)) }
}

function temporaryFiles(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.startsWith('.wslb-'))
}

for (const type of ['module', 'commonjs', undefined]) {
  t.test(`TypeScript with an enum and a helper, in a project of type ${type}`, async (t) => {
    const { config, inputs, dir } = await load(t, {
      'package.json': JSON.stringify({ type }),
      'lb.config.ts': `
        import { Port } from './ports'
        import { hosts } from './hosts.mts'
        enum Weight { Heavy = 9 }
        export default { backends: hosts.map((url: string) => ({ url: url + Port.Blue, weight: Weight.Heavy })) }`,
      'ports.ts': 'export enum Port { Blue = 3001 }',
      'hosts.mts': 'export const hosts: string[] = ["http://127.0.0.1:"]',
    })
    t.same(config, { backends: [{ url: 'http://127.0.0.1:3001', weight: 9 }] })
    t.same(
      [...inputs.keys()].sort(),
      ['hosts.mts', 'lb.config.ts', 'ports.ts'].map((name) => join(dir, name)),
    )
  })
}

t.test('CommonJS in a .js file, with require of packages and of helpers', async (t) => {
  const { config } = await load(
    t,
    {
      'package.json': '{}',
      'lb.config.js': `
        const { join } = require('node:path')
        const { port } = require('./port.cjs')
        module.exports = { backends: ['http://127.0.0.1:' + port + join('/', '')] }`,
      'port.cjs': 'exports.port = 3002',
    },
    'lb.config.js',
  )
  t.same(config, { backends: ['http://127.0.0.1:3002/'] })
})

t.test('JSON', async (t) => {
  const { config, inputs, file } = await load(t, { 'lb.config.json': '{ "backends": [] }' }, 'lb.config.json')
  t.same(config, { backends: [] })
  t.same([...inputs.keys()], [file])
})

t.test('import.meta and __dirname name the original files', async (t) => {
  const { config, dir } = await load(t, {
    lib: {
      'helper.ts': 'export const helper = [import.meta.url, import.meta.dirname, __filename, __dirname]',
    },
    'lb.config.ts': `
      import { helper } from './lib/helper.ts'
      export default { helper, own: [import.meta.url, import.meta.filename, __filename, __dirname] }`,
  })
  const own = join(dir, 'lb.config.ts')
  const helper = join(dir, 'lib', 'helper.ts')
  t.same(config, {
    helper: [pathToFileURL(helper).href, join(dir, 'lib'), helper, join(dir, 'lib')],
    own: [pathToFileURL(own).href, own, own, dir],
  })
})

t.test('a config function gets the context, and may be async', async (t) => {
  const dir = t.testdir({
    'lb.config.ts': 'export default async (context) => ({ backends: [], context })',
  })
  const previous: Config = { backends: ['http://old'] }
  const given = { signal: new AbortController().signal, previous }
  const { config } = await loadConfigFile(join(dir, 'lb.config.ts'), given)
  t.equal((config as { context?: unknown }).context, given)
})

t.test('`wslb` in a config is the wslb that loads it', async (t) => {
  const { config } = await load(t, {
    'lb.config.ts': `
      import { defineConfig, ConfigError } from 'wslb'
      export default defineConfig({ backends: [], ConfigError } as any)`,
  })
  t.equal((config as { ConfigError?: unknown }).ConfigError, ConfigError)
})

t.test('`wslb` can be required as well', async (t) => {
  const { config } = await load(
    t,
    {
      'package.json': '{}',
      'lb.config.js':
        'const { ConfigError } = require("wslb")\nmodule.exports = { backends: [], ConfigError }',
    },
    'lb.config.js',
  )
  t.equal((config as { ConfigError?: unknown }).ConfigError, ConfigError)
})

t.test('packages are found from the config, also when the bundle has to lie elsewhere', async (t) => {
  const { config, file } = await load(t, {
    node_modules: {
      esm: {
        'package.json': '{"type":"module","exports":{"import":"./main.js"}}',
        'main.js': 'export default "esm"',
      },
      cjs: { 'package.json': '{"main":"main.js"}', 'main.js': 'module.exports = "cjs"' },
    },
    'lb.config.ts': `
      import esm from 'esm'
      import cjs from 'cjs'
      import { sep } from 'node:path'
      export default { backends: [], found: [esm, cjs, sep] }`,
  })
  const expected = { backends: [], found: ['esm', 'cjs', '/'] }
  t.same(config, expected)
  const bundle = await bundleConfig(file, tmpdir())
  writeFileSync(bundle.path, bundle.code)
  t.same(await importBundle(bundle), expected)
  t.notOk(existsSync(bundle.path))
})

t.test('an edited helper is read afresh', async (t) => {
  const { dir, file } = await load(t, {
    'lb.config.ts': 'import { port } from "./port.ts"\nexport default { backends: ["http://a:" + port] }',
    'port.ts': 'export const port = 1',
  })
  writeFileSync(join(dir, 'port.ts'), 'export const port = 2')
  t.same((await loadConfigFile(file, context())).config, { backends: ['http://a:2'] })
})

t.test('a syntax error is told with file:line:column, the line and a mark', async (t) => {
  const { error, dir, inputs } = await failure(t, {
    'lb.config.ts': 'import { a } from "./helper.ts"\nexport default { a }',
    'helper.ts': 'export const b = 1\nexport const a = [1, 2\nexport const c = 3\n',
  })
  t.equal(error.code, 'WSLB_CONFIG_LOAD')
  t.match(error.message, `${join(dir, 'helper.ts')}:3:1: Expected "]" but found "export"`)
  t.match(error.message, '\n  3 | export const c = 3\n    | ^')
  t.same(inputs.sort(), ['helper.ts', 'lb.config.ts'], 'mending the helper is noticed')
})

t.test('an import that is not there is told with its place, and its directory is an input', async (t) => {
  const { error, dir, inputs } = await failure(t, {
    'lb.config.ts': '\nimport "./lib/none.ts"\nexport default {}',
  })
  t.match(error.message, `${join(dir, 'lb.config.ts')}:2:8: Could not resolve "./lib/none.ts"`)
  t.same(inputs.sort(), ['lb.config.ts', 'lib'])
})

t.test('what throws while the config runs is told with the place in the source', async (t) => {
  const files = {
    'lb.config.ts': `interface Long { a: string; b: string }
import { fail } from './helper.ts'
export default async () => {
  await null
  return fail()
}`,
    'helper.ts': `type Gone = 1

export function fail(): never {
  throw new TypeError('no such thing')
}`,
  }
  const { error, dir } = await failure(t, files)
  t.match(error.message, new RegExp(`^${join(dir, 'helper.ts')}:4:\\d+: no such thing\n  4 |   throw new`))
  t.match(error.cause, { name: 'TypeError' })
  const atImport = await failure(t, {
    'lb.config.ts': '\n\nconst a: string[] = undefined!\na.map(String)\nexport default {}',
  })
  t.match(atImport.error.message, /lb\.config\.ts:4:\d+: Cannot read properties of undefined/)
})

t.test('without source maps in the process, places are found by the map of the bundle', async (t) => {
  const { file } = await load(t, {
    'lb.config.ts': 'type Gone = 1\n\nexport default { a: () => fail() }\nfunction fail(){}',
  })
  const bundle = await bundleConfig(file, dirname(file))
  const line = bundle.code.split('\n').findIndex((text) => text.includes('a: () => fail()'))
  const error = new Error('x')
  error.stack = `Error: x\n    at a (node:internal:1:1)\n    at run (${pathToFileURL(bundle.path).href}:${line + 1}:3)`
  t.match(placeOf(error, bundle), { file, line: 3 })
  error.stack = 'Error: x\n    at other (/elsewhere.js:1:1)'
  t.equal(placeOf(error, bundle), undefined)
})

t.test('a package that is not installed is told in terms of the config', async (t) => {
  const { error, dir } = await failure(t, {
    'lb.config.ts': 'import "wslb-no-such-package"\nexport default {}',
  })
  t.match(error.message, /Cannot find package 'wslb-no-such-package'/)
  t.match(error.message, join(dir, 'lb.config.ts'))
  t.notMatch(error.message, /\.wslb-/)
})

t.test('a rejection with something that is no error is told as well', async (t) => {
  const { error } = await failure(t, { 'lb.config.ts': 'export default () => Promise.reject("nope")' })
  t.match(error.message, /lb\.config\.ts: nope$/)
})

t.test('the temporary file is gone while the config runs: it may hang, or end the process', async (t) => {
  const dir = t.testdir({ 'lb.config.ts': 'globalThis.wslbRuns()\nexport default {}' })
  const running = globalThis as { wslbRuns?: () => void }
  let seen: string[] | undefined
  running.wslbRuns = () => (seen = temporaryFiles(dir))
  t.teardown(() => delete running.wslbRuns)
  await loadConfigFile(join(dir, 'lb.config.ts'), context())
  t.strictSame(seen, [])
})

t.test('a config that never settles is given up with its generation', async (t) => {
  const dir = t.testdir({
    'lb.config.ts': 'export default () => new Promise(() => globalThis.wslbStarted())',
  })
  const generation = new AbortController()
  const hung = globalThis as { wslbStarted?: () => void }
  hung.wslbStarted = () => generation.abort()
  t.teardown(() => delete hung.wslbStarted)
  await t.rejects(
    loadConfigFile(join(dir, 'lb.config.ts'), { signal: generation.signal, previous: undefined }),
    {
      code: 'WSLB_CONFIG_LOAD',
      message: /given up/,
    },
  )
  t.same(temporaryFiles(dir), [])
})

t.test('a default export that is no config is told', async (t) => {
  const of = async (code: string) => (await failure(t, { 'lb.config.ts': code })).error.message
  t.match(await of('export const config = {}'), /default export is missing; write export default/)
  t.match(await of('export default 7'), /default export is 7/)
  t.match(await of('export default () => [1]'), /default export is a list/)
})

t.test('JSON errors have a line', async (t) => {
  const { error, dir } = await failure(
    t,
    { 'lb.config.json': '{\n  "backends": [\n  oops\n]}' },
    'lb.config.json',
  )
  t.match(error.message, `${join(dir, 'lb.config.json')}:3:3: `)
})

t.test('.cts and .cjs are refused with a way out', async (t) => {
  const { error } = await failure(t, { 'lb.config.cjs': 'module.exports = {}' }, 'lb.config.cjs')
  t.match(error.message, /ends in \.ts, \.mts, \.js, \.mjs or \.json; CommonJS is fine inside \.js/)
})

t.test('a file that is not there', async (t) => {
  const dir = t.testdir({})
  const missing = { code: 'WSLB_CONFIG_NOT_FOUND', message: /wslb init/ }
  await t.rejects(loadConfigFile(join(dir, 'lb.config.ts'), context()), missing)
  t.throws(() => findConfigFile(dir), { ...missing, message: new RegExp(dir) })
})

t.test('config files are looked for in order', async (t) => {
  const dir = t.testdir({ 'lb.config.json': '', 'lb.config.mjs': '', 'lb.config.mts': '' })
  t.equal(findConfigFile(dir), join(dir, 'lb.config.mts'))
})

t.test('loadConfig makes certificate paths absolute and leaves the rest alone', async (t) => {
  const dir = t.testdir({
    'lb.config.mjs': `
      export const tls = Object.freeze({ cert: './cert.pem', key: '-----BEGIN PRIVATE KEY-----' })
      export default Object.freeze({ backends: [], listen: [80, { port: 443, tls }, { port: 444, tls: 'self-signed' }] })`,
  })
  const config = await loadConfig(join(dir, 'lb.config.mjs'))
  t.same(config.listen, [
    80,
    { port: 443, tls: { cert: join(dir, 'cert.pem'), key: '-----BEGIN PRIVATE KEY-----' } },
    { port: 444, tls: 'self-signed' },
  ])
})
