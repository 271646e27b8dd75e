import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { until } from '../support/until.ts'
import { backends, watched } from '../support/watched-config.ts'

t.test('a saved file reloads', async (t) => {
  const { first, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  t.same(first.config, { backends: ['a'] })
  write('lb.config.ts', backends('a', 'b'))
  t.equal(await heard(1), '["a","b"]')
})

t.test('ten saves in a row, a touch and a change of another file reload once', async (t) => {
  const { dir, write, heard, news, flush } = await watched(t, { 'lb.config.ts': backends('a') })
  for (let save = 1; save <= 10; save++) write('lb.config.ts', backends(`save-${save}`))
  t.equal(await heard(1), '["save-10"]')
  utimesSync(join(dir, 'lb.config.ts'), new Date(), new Date())
  write('lb.config.ts', backends('save-10'))
  write('other.txt', 'other')
  t.equal(await flush(), '["flush-1"]')
  t.equal(news.length, 2)
})

t.test('a save by rename reloads, again and again', async (t) => {
  const { dir, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  for (const turn of [1, 2, 3]) {
    write('lb.config.ts.swp', backends(`rename-${turn}`))
    renameSync(join(dir, 'lb.config.ts.swp'), join(dir, 'lb.config.ts'))
    t.equal(await heard(turn), `["rename-${turn}"]`)
  }
})

t.test('a helper reloads; so does one that was imported only later', async (t) => {
  const { write, heard } = await watched(t, {
    'lb.config.ts': 'import { names } from "./names.ts"\nexport default { backends: names }',
    'names.ts': 'export const names = ["a"]',
    'more.ts': 'export const more = ["x"]',
  })
  write('names.ts', 'export const names = ["b"]')
  t.equal(await heard(1), '["b"]')
  write('names.ts', 'import { more } from "./more.ts"\nexport const names = more')
  t.equal(await heard(2), '["x"]')
  write('more.ts', 'export const more = ["y"]')
  t.equal(await heard(3), '["y"]')
})

t.test('a syntax error in a helper is told with its place, and mended where it was made', async (t) => {
  const { write, heard } = await watched(t, {
    'lb.config.ts': 'import { names } from "./names.ts"\nexport default { backends: names }',
    'names.ts': 'export const names = ["a"]',
  })
  write('names.ts', 'export const names = \n]')
  t.match(await heard(1), /^names\.ts:2:1: Unexpected "]"/)
  write('names.ts', 'export const names = ["mended"]')
  t.equal(await heard(2), '["mended"]')
})

t.test('an import that is not there yet reloads when it appears, in a new directory too', async (t) => {
  const { dir, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  write('lb.config.ts', 'import { names } from "./new/names.ts"\nexport default { backends: names }')
  t.match(await heard(1), /Could not resolve/)
  mkdirSync(join(dir, 'new'))
  write('new/names.ts', 'export const names = ["there"]')
  t.equal(await heard(2), '["there"]')
})

t.test('a file that is empty or missing for a moment is half a save', async (t) => {
  const files = { 'lb.config.ts': backends('a') }
  const delays: number[] = []
  const noting: Clock = {
    ...systemClock,
    schedule: (delay, run) => (delays.push(delay), systemClock.schedule(delay, run)),
  }
  const { dir, write, heard, news } = await watched(t, files, undefined, noting)
  write('lb.config.ts', '')
  await until(() => delays.includes(500), 'the empty file to be seen and given its time')
  write('lb.config.ts', backends('b'))
  t.equal(await heard(1), '["b"]')
  unlinkSync(join(dir, 'lb.config.ts'))
  write('lb.config.ts', backends('c'))
  t.equal(await heard(2), '["c"]')
  t.equal(news.length, 2)
})

t.test('a file that stays away is told once, and reloads when it is back', async (t) => {
  const { dir, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  unlinkSync(join(dir, 'lb.config.ts'))
  t.match(await heard(1), /there is no .*lb\.config\.ts/)
  write('lb.config.ts', backends('back'))
  t.equal(await heard(2), '["back"]')
})

t.test('a directory that is replaced is watched again', async (t) => {
  const { dir, write, heard } = await watched(t, { 'lb.config.ts': backends('a') })
  mkdirSync(join(dir, 'lib'))
  write('lib/names.ts', 'export const names = ["one"]')
  write('lb.config.ts', 'import { names } from "./lib/names.ts"\nexport default { backends: names }')
  t.equal(await heard(1), '["one"]')
  mkdirSync(join(dir, 'lib2'))
  write('lib2/names.ts', 'export const names = ["two"]')
  rmSync(join(dir, 'lib'), { recursive: true })
  renameSync(join(dir, 'lib2'), join(dir, 'lib'))
  t.equal(await heard(2), '["two"]')
  write('lib/names.ts', 'export const names = ["three"]')
  t.equal(await heard(3), '["three"]')
})

t.test('a symbolic link that is turned to another file reloads', async (t) => {
  const files = {
    'one.ts': backends('one'),
    'two.ts': backends('two'),
    'lb.config.ts': t.fixture('symlink', 'one.ts'),
  }
  const { dir, heard } = await watched(t, files)
  symlinkSync('two.ts', join(dir, 'next'))
  renameSync(join(dir, 'next'), join(dir, 'lb.config.ts'))
  t.equal(await heard(1), '["two"]')
})

t.test('certificates are watched', async (t) => {
  const { write, heard } = await watched(t, {
    'lb.config.ts':
      'export default { backends: ["tls"], listen: { port: 0, tls: { cert: "c.pem", key: "k.pem" } } }',
    'c.pem': 'one',
    'k.pem': 'one',
  })
  write('c.pem', 'two')
  t.equal(await heard(1), '["tls"]')
})
