import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ROOT } from './support/tree.ts'

/**
 * The map of docs/how-it-works.md, lowest layer first. A folder imports only what stands in a row above its own,
 * and itself; folders of one row are siblings and do not know each other.
 */
const LAYERS = [
  ['core'],
  ['protocol', 'files'],
  ['balancing', 'sticky', 'discovery', 'health', 'upstream', 'listener'],
  ['pool'],
  ['proxy'],
  ['config'],
  ['observe'],
  ['.'],
  ['admin'],
  ['cli'],
]
/** `wslb/relay` stands beside that tower: it knows core and itself, and nobody knows it. */
const RELAY_LAYERS = [
  ['core'],
  ['relay/session'],
  ['relay/memory', 'relay/redis', 'relay/delivery', 'relay/presence'],
  ['relay/sockets'],
  ['relay'],
  ['relay/socket-io'],
]
const LONGEST_FILE = 300

const lib = fileURLToPath(new URL('lib', ROOT))
const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sourceOf = (file: string) => readFileSync(join(lib, file), 'utf8')
const inFolder = (folder: string) => files.filter((file) => dirname(file) === folder)
const towerOf = (folder: string) => (folder.startsWith('relay') ? RELAY_LAYERS : LAYERS)
const rankOf = (folder: string, tower = towerOf(folder)) => tower.findIndex((layer) => layer.includes(folder))

function importsOf(file: string): string[] {
  return [...sourceOf(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) => path!)
}

t.test('every folder imports only from the layers below it', async (t) => {
  t.ok(files.length > 30, 'the files were found')
  const unplaced = files.map((file) => dirname(file)).filter((folder) => rankOf(folder) < 0)
  t.strictSame(unplaced, [], 'every folder has a place in the map')
  const upwards = files.flatMap((file) => {
    const folder = dirname(file)
    const mayImport = (other: string) => {
      const rank = rankOf(other, towerOf(folder))
      return other === folder || (rank >= 0 && rank < rankOf(folder))
    }
    return importsOf(file)
      .map((path) => relative(lib, resolve(lib, folder, path)))
      .filter((path) => !mayImport(dirname(path)))
      .map((path) => `${file} imports ${path}`)
  })
  t.strictSame(upwards, [])
})

t.test('core does no I/O: of Node it imports nothing but events', async (t) => {
  const builtins = inFolder('core').flatMap((file) =>
    [...sourceOf(file).matchAll(/from '(node:[^']+)'/g)].map(([, name]) => `${file}: ${name}`),
  )
  t.strictSame(
    builtins.filter((found) => !found.endsWith('node:events')),
    [],
  )
})

t.test('nothing below observe logs', async (t) => {
  const logging = files
    .filter((file) => !['observe', 'cli'].includes(dirname(file)))
    .filter((file) => /\bconsole\.|from 'pino/.test(sourceOf(file)))
  t.strictSame(logging, [])
})

t.test('no file has outgrown a reader', async (t) => {
  const tooLong = files
    .map((file) => ({ file, lines: sourceOf(file).split('\n').length }))
    .filter(({ lines }) => lines > LONGEST_FILE)
  t.strictSame(tooLong, [])
})
