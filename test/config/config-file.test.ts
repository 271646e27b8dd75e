import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { type Config, type ConfigContext } from '../../lib/config/config.ts'
import { ConfigFile } from '../../lib/config/config-file.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'

type Tree = Parameters<typeof t.testdir>[0]

/** Four times as fast as life. */
const hurry = { ...systemClock, schedule: (ms: number, run: () => void) => systemClock.schedule(ms / 4, run) }

/** A config file that is being watched, and what came of its reloads. */
async function watched(
  t: Test,
  files: Tree,
  apply: (config: Config) => unknown = () => {},
  clock: Clock = hurry,
) {
  const dir = t.testdir(files)
  // Neither the watcher nor its timers keep the process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  const news: string[] = []
  const waiting: (() => void)[] = []
  const tell = (text: string) => {
    news.push(text)
    for (const wake of waiting.splice(0)) wake()
  }
  const source = new ConfigFile(join(dir, 'lb.config.ts'), {
    clock,
    apply: async (config) => {
      await apply(config)
      tell(JSON.stringify(config.backends))
    },
    onReject: (_error, explanation) => tell(explanation.replaceAll(`${dir}/`, '')),
    onWatchError: (error) => tell(String(error)),
  })
  t.teardown(() => source.close())
  const first = await source.load()
  source.watch()
  async function heard(count: number): Promise<string> {
    while (news.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    return news[count - 1]!
  }
  return {
    dir,
    source,
    first,
    news,
    /** Resolves with the news number `count`. */
    heard,
    write: (name: string, text: string) => writeFileSync(join(dir, name), text),
    /** Makes a change and waits for it, so that everything before it must have been noticed too. */
    async flush(): Promise<string> {
      const before = news.length
      writeFileSync(join(dir, 'lb.config.ts'), backends(`flush-${before}`))
      return heard(before + 1)
    },
  }
}

function backends(...names: string[]): string {
  return `export default { backends: ${JSON.stringify(names)} }`
}

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
  const { dir, write, heard, news } = await watched(t, files, undefined, systemClock)
  write('lb.config.ts', '')
  await new Promise((resolve) => setTimeout(resolve, 200))
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

t.test('a config that is not valid is told with file:line, and the next good one is taken', async (t) => {
  const { write, heard } = await watched(t, { 'lb.config.ts': backends('http://a') }, resolveConfig)
  write(
    'lb.config.ts',
    'export default {\n  // wieght\n  backends: [\n    { url: "http://a", wieght: 2 },\n  ],\n  attempts: 0,\n}',
  )
  t.equal(
    await heard(1),
    'lb.config.ts:4: backends[0].wieght: unknown key, did you mean "weight"?\n' +
      'lb.config.ts:6: attempts: got 0; expected a whole number, 1 or more',
  )
  write('lb.config.ts', backends('http://b'))
  t.equal(await heard(2), '["http://b"]')
})

/** Configs report their signals and contexts here. */
const contexts: ConfigContext[] = []
Object.assign(globalThis, { wslbContexts: contexts })
const reporting = (body: string) => `export default (context) => { wslbContexts.push(context); ${body} }`

t.test('the signal of a generation aborts when it is replaced or rejected, never before', async (t) => {
  contexts.length = 0
  let refuse = false
  const { write, heard, source } = await watched(
    t,
    { 'lb.config.ts': reporting('return { backends: ["1"] }') },
    () => {
      if (refuse) throw new Error('port taken')
    },
  )
  const aborted = () => contexts.map(({ signal }) => signal.aborted)
  t.same(aborted(), [false])
  write('lb.config.ts', reporting('return { backends: ["2"] }'))
  await heard(1)
  t.same(aborted(), [true, false])
  refuse = true
  write('lb.config.ts', reporting('return { backends: ["3"] }'))
  t.equal(await heard(2), 'port taken')
  t.same(aborted(), [true, false, true])
  refuse = false
  write('lb.config.ts', reporting('throw new Error("broken")'))
  t.match(await heard(3), /lb\.config\.ts:1:\d+: broken/)
  t.same(aborted(), [true, false, true, true])
  write('lb.config.ts', reporting('return { backends: ["5"] }'))
  await heard(4)
  t.same(aborted(), [true, true, true, true, false])
  t.same(
    contexts.map(({ previous }) => previous?.backends?.[0]),
    [undefined, '1', '2', '2', '2'],
    'previous is the last good config',
  )
  source.close()
  t.same(aborted(), [true, true, true, true, true])
})

t.test(
  'reload() loads without a change, one load at a time, and a newer wish overtakes a load that hangs',
  async (t) => {
    contexts.length = 0
    const hang = 'return globalThis.wslbHang ? new Promise(() => {}) : { backends: [] }'
    const { source, news } = await watched(t, { 'lb.config.ts': reporting(hang) })
    await source.reload()
    t.same(news, ['[]'])
    const global = globalThis as { wslbHang?: boolean }
    global.wslbHang = true
    t.teardown(() => delete global.wslbHang)
    const first = source.reload()
    while (contexts.length < 3) await new Promise((resolve) => setImmediate(resolve))
    global.wslbHang = false
    await Promise.all([first, source.reload(), source.reload(), source.reload()])
    t.same(news, ['[]', '[]'], 'three wishes at once are one, and the one overtaken is no failure')
    t.same(
      contexts.map(({ signal }) => signal.aborted),
      [true, true, true, false],
    )
  },
)

t.test('close() leaves nothing: no reload, no timer', async (t) => {
  const pending = new Set<object>()
  const counting: Clock = {
    now: systemClock.now,
    schedule(delay, run) {
      const timer = systemClock.schedule(delay, () => {
        pending.delete(timer)
        run()
      })
      pending.add(timer)
      return { cancel: () => (pending.delete(timer), timer.cancel()) }
    },
  }
  const { source, write, news } = await watched(t, { 'lb.config.ts': backends('a') }, undefined, counting)
  t.equal(pending.size, 1, 'the look after watch()')
  write('lb.config.ts', backends('b'))
  source.close()
  t.equal(pending.size, 0)
  await source.reload()
  await new Promise((resolve) => setTimeout(resolve, 150))
  t.equal(pending.size, 0, 'no event is listened to')
  t.same(news, [])
})

t.test('where directories cannot be watched, that is told, and reload() still works', async (t) => {
  const { watch } = fs
  t.teardown(() => {
    fs.watch = watch
    syncBuiltinESMExports()
  })
  fs.watch = () => {
    throw new Error('ENOSPC: System limit for number of file watchers reached')
  }
  syncBuiltinESMExports()
  const { source, news } = await watched(t, { 'lb.config.ts': backends('a') })
  t.match(news, [/ENOSPC/])
  await source.reload()
  await source.reload()
  t.equal(news.length, 3, 'the trouble is told once')
  t.equal(news.at(-1), '["a"]')
})

t.test('the first load fails as it is, with its signal aborted', async (t) => {
  contexts.length = 0
  await t.rejects(watched(t, { 'lb.config.ts': reporting('throw new Error("first")') }), {
    code: 'WSLB_CONFIG_LOAD',
  })
  t.equal(contexts[0]!.signal.aborted, true)
})
