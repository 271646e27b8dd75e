import { execFileSync } from 'node:child_process'
import fs, { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { backends, watched } from '../support/watched-config.ts'

const fifo = (...path: string[]) => execFileSync('mkfifo', [join(...path)])

/** Until it is called off, what `node:fs` is asked about a path below `dir` fails: root, who may run this, may read all. */
function failing(t: Test, dir: string, names: ('statSync' | 'readFileSync')[], code: string) {
  const originals = names.map((name) => [name, Object.getOwnPropertyDescriptor(fs, name)!] as const)
  let tried = 0
  let waiting: (() => void)[] = []
  for (const [name, { value }] of originals) {
    const original = value as (...args: unknown[]) => unknown
    Object.defineProperty(fs, name, {
      value: (path: unknown, ...rest: unknown[]) => {
        if (!String(path).startsWith(dir)) return original(path, ...rest)
        tried++
        for (const wake of waiting) wake()
        throw Object.assign(new Error(`${code}: ${String(path)}`), { code })
      },
      configurable: true,
      writable: true,
    })
  }
  syncBuiltinESMExports()
  const end = () => {
    for (const [name, original] of originals) Object.defineProperty(fs, name, original)
    syncBuiltinESMExports()
  }
  t.teardown(end)
  const attempts = async (count: number) => {
    while (tried < count) await new Promise<void>((resolve) => waiting.push(resolve))
    waiting = []
  }
  return { end, attempts }
}

t.test('a link that leads to itself is told, and mended', async (t) => {
  const { dir, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  unlinkSync(join(dir, 'lb.config.ts'))
  symlinkSync('lb.config.ts', join(dir, 'lb.config.ts'))
  t.match(await heard(1), /^cannot read the config: ELOOP.*lb\.config\.ts/)
  unlinkSync(join(dir, 'lb.config.ts'))
  write('lb.config.ts', backends('mended'))
  t.equal(await heard(2), '["mended"]')
})

t.test('a directory on the way that becomes a link to itself is told, and mended', async (t) => {
  const { dir, write, heard } = await watched(t, {
    'lb.config.ts': 'import { names } from "./lib/names.ts"\nexport default { backends: names }',
    lib: { 'names.ts': 'export const names = ["a"]' },
  })
  renameSync(join(dir, 'lib'), join(dir, 'away'))
  symlinkSync('lib', join(dir, 'lib'))
  t.match(await heard(1), /^lb\.config\.ts:1:\d+: Could not resolve/m)
  unlinkSync(join(dir, 'lib'))
  mkdirSync(join(dir, 'lib'))
  write('lib/names.ts', 'export const names = ["mended"]')
  t.equal(await heard(2), '["mended"]')
})

t.test('a directory that nobody may enter any more is no change; later ones are noticed', async (t) => {
  const { dir, heard, news } = await watched(t, { 'lb.config.ts': backends('a') })
  const { attempts, end } = failing(t, dir, ['statSync'], 'EACCES')
  writeFileSync(join(dir, 'lb.config.ts'), backends('b'))
  await attempts(4)
  t.same(news, [])
  end()
  t.equal(await heard(1), '["b"]', 'without another event')
})

t.test('without file descriptors nothing counts as changed', async (t) => {
  const { dir, heard, news } = await watched(t, { 'lb.config.ts': backends('a') })
  const { attempts, end } = failing(t, dir, ['readFileSync'], 'EMFILE')
  fs.utimesSync(join(dir, 'lb.config.ts'), new Date(), new Date())
  await attempts(3)
  t.same(news, [])
  end()
  writeFileSync(join(dir, 'lb.config.ts'), backends('b'))
  t.equal(await heard(1), '["b"]')
  t.equal(news.length, 1)
})

t.test('a config that becomes a FIFO is told at once, and mended', async (t) => {
  const { dir, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  unlinkSync(join(dir, 'lb.config.ts'))
  fifo(dir, 'lb.config.ts')
  t.equal(await heard(1), 'cannot read the config: lb.config.ts is a FIFO, not a regular file')
  writeFileSync(join(dir, 'next'), backends('mended'))
  renameSync(join(dir, 'next'), join(dir, 'lb.config.ts'))
  t.equal(await heard(2), '["mended"]')
})

t.test('an import that becomes a FIFO is told with the place of the import, and mended', async (t) => {
  const { dir, write, heard } = await watched(t, {
    'lb.config.ts': 'import { names } from "./names.ts"\nexport default { backends: names }',
    'names.ts': 'export const names = ["a"]',
  })
  rmSync(join(dir, 'names.ts'))
  fifo(dir, 'names.ts')
  t.match(await heard(1), /^lb\.config\.ts:1:\d+: cannot read the import: names\.ts is a FIFO/)
  rmSync(join(dir, 'names.ts'))
  write('names.ts', 'export const names = ["mended"]')
  t.equal(await heard(2), '["mended"]')
})

t.test('a certificate that is a FIFO or a device is told, and mended', async (t) => {
  const listen = 'listen: { port: 0, tls: { cert: "c.pem", key: "k.pem" } }'
  const { dir, write, heard } = await watched(
    t,
    { 'lb.config.ts': backends('http://a') },
    (config) => void resolveConfig(config),
  )
  fifo(dir, 'c.pem')
  symlinkSync('/dev/zero', join(dir, 'k.pem'))
  write('lb.config.ts', `export default { backends: ["http://a"], ${listen} }`)
  const told = await heard(1)
  t.match(told, /listen\.tls\.cert: cannot read the file: c\.pem is a FIFO, not a regular file/)
  t.match(told, /listen\.tls\.key: cannot read the file: k\.pem is a device, not a regular file/)
  write('lb.config.ts', backends('http://mended'))
  t.equal(await heard(2), '["http://mended"]')
})

t.test('loading what is no regular file is refused', async (t) => {
  const dir = t.testdir({ 'directory.ts': {}, 'plain.txt': '' })
  fifo(dir, 'fifo.json')
  const refusal = (name: string) => loadConfig(join(dir, name)).catch((error: unknown) => error)
  t.match(await refusal('fifo.json'), { code: 'WSLB_CONFIG_LOAD', message: /is a FIFO, not a regular file/ })
  t.match(await refusal('directory.ts'), { code: 'WSLB_CONFIG_LOAD', message: /is a directory, not a/ })
  t.match(await refusal('none.ts'), { code: 'WSLB_CONFIG_NOT_FOUND' })
  t.match(await refusal('plain.txt/lb.config.ts'), { code: 'WSLB_CONFIG_NOT_FOUND' })
})
