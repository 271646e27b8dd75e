import { once } from 'node:events'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import t from 'tap'
import { type Clock, systemClock } from '../../lib/core/clock.ts'
import { type ConfigContext } from '../../lib/config/config.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { backends, watched } from '../support/watched-config.ts'

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
    contexts.map(({ previous }) => (previous?.backends as string[] | undefined)?.[0]),
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
    ...systemClock,
    schedule(delay, run) {
      const timer = systemClock.schedule(delay, () => {
        pending.delete(timer)
        run()
      })
      pending.add(timer)
      return { cancel: () => (pending.delete(timer), timer.cancel()) }
    },
  }
  const { dir, source, write, news } = await watched(
    t,
    { 'lb.config.ts': backends('a') },
    undefined,
    counting,
  )
  t.equal(pending.size, 1, 'the look after watch()')
  write('lb.config.ts', backends('b'))
  source.close()
  t.equal(pending.size, 0)
  await source.reload()
  // Events come in the order in which they happened, to all who watch.
  const other = fs.watch(dir)
  t.teardown(() => other.close())
  const noticed = once(other, 'change')
  write('lb.config.ts', backends('c'))
  await noticed
  await new Promise(setImmediate)
  t.equal(pending.size, 0, 'no event is listened to')
  t.same(news, [])
})

t.test('where directories cannot be watched, that is told, and reload() still works', async (t) => {
  const original = Object.getOwnPropertyDescriptor(fs, 'watch')!
  t.teardown(() => {
    Object.defineProperty(fs, 'watch', original)
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
