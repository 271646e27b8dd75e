import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { createBalancer, loadConfig } from '../../lib/index.ts'
import { file } from '../../lib/discovery/file.ts'
import { fed, sourceContract, urlOf } from '../contract/source.ts'
import { systemClock } from '../../lib/core/clock.ts'
import { FastClock } from '../support/clock.ts'
import { until } from '../support/until.ts'

/** Neither the watcher nor its timers keep the process alive. */
function stayAlive(t: Test): void {
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
}

/** What this process watches, as Linux has it. */
function watchers(): number {
  return readdirSync('/proc/self/fd')
    .map((fd) => infoOf(fd).match(/^inotify wd:/gm)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0)
}

/** Of one that was open a moment ago. */
function infoOf(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  } catch {
    return ''
  }
}

t.test('a watcher is seen while it is open', async (t) => {
  stayAlive(t)
  const { feed, has } = fed(t, file(join(t.testdir({ 'a.json': JSON.stringify([urlOf(1)]) }), 'a.json')))
  feed.start()
  await has(1)
  t.equal(watchers(), 1)
})

const FORMATS: Record<string, (list: unknown) => string> = {
  json: (list) => JSON.stringify(list),
  yaml: (list) => (list as unknown[]).map((item) => `- ${JSON.stringify(item)}\n`).join('') || '[]\n',
}

for (const [format, text] of Object.entries(FORMATS)) {
  t.test(format, async () =>
    sourceContract((t) => {
      stayAlive(t)
      const dir = t.testdir({})
      const path = join(dir, `backends.${format}`)
      const write = (content: string) => {
        writeFileSync(`${path}.new`, content)
        renameSync(`${path}.new`, path)
      }
      const set = (ports: readonly number[]) => write(text(ports.map((port) => urlOf(port))))
      set([1, 2])
      return {
        source: file(path),
        set,
        fail: () => write('{ - not'),
        empty: () => write(text([])),
        spoil: () => write(text([urlOf(1), { url: 'nowhere' }])),
        open: watchers,
      }
    }),
  )
}

async function watched(t: Test, name = 'backends.json', content = JSON.stringify([urlOf(1)])) {
  stayAlive(t)
  const dir = t.testdir({ [name]: content })
  const path = join(dir, name)
  const result = fed(t, file(path), new FastClock(4))
  result.feed.start()
  await result.has(1)
  return { ...result, dir, path }
}

t.test('a file that is truncated and written later is never an empty list', async (t) => {
  const { path, has, failures } = await watched(t)
  writeFileSync(path, '')
  await new Promise((resolve) => systemClock.schedule(60, () => resolve(undefined), true))
  writeFileSync(path, JSON.stringify([urlOf(1), urlOf(2)]))
  await has(1, 2)
  t.same(failures, [])
})

t.test('a file that is half written counts when it is whole', async (t) => {
  const { path, has, failed, ports } = await watched(t)
  const whole = JSON.stringify([urlOf(2), urlOf(3)])
  writeFileSync(path, whole.slice(0, 20))
  await failed()
  t.same(ports(), [1])
  writeFileSync(path, whole)
  await has(2, 3)
})

t.test('a file that is gone is told, and counts when it is back', async (t) => {
  const { path, has, failed, failures, ports } = await watched(t)
  rmSync(path)
  await failed()
  t.match(failures[0], /ENOENT/)
  t.same(ports(), [1])
  writeFileSync(path, JSON.stringify([urlOf(4)]))
  await has(4)
})

t.test('a file that is not there yet, in a directory that is not either', async (t) => {
  stayAlive(t)
  const dir = t.testdir({})
  const { feed, has, failed } = fed(t, file(join(dir, 'later', 'backends.json')), new FastClock(4))
  feed.start()
  await failed()
  mkdirSync(join(dir, 'later'))
  writeFileSync(join(dir, 'later', 'backends.json'), JSON.stringify([urlOf(5)]))
  await has(5)
})

t.test('a symbolic link that is swapped, as Kubernetes does with a ConfigMap', async (t) => {
  stayAlive(t)
  const dir = t.testdir({
    one: { 'backends.yaml': `- ${urlOf(1)}\n` },
    two: { 'backends.yaml': `- url: ${urlOf(2)}\n  weight: 2\n` },
  })
  symlinkSync('one', join(dir, '..data'))
  symlinkSync('..data/backends.yaml', join(dir, 'backends.yaml'))
  const { feed, has, members } = fed(t, file(join(dir, 'backends.yaml')), new FastClock(4))
  feed.start()
  await has(1)
  symlinkSync('two', join(dir, '..data.new'))
  renameSync(join(dir, '..data.new'), join(dir, '..data'))
  await has(2)
  t.equal(members()[0]!.settings.weight, 2)
})

t.test('what is wrong in a YAML file is told with its place', async (t) => {
  const { path, failed, failures } = await watched(t, 'backends.yml', `- ${urlOf(1)}\n`)
  writeFileSync(path, `- ${urlOf(1)}\n- url: "x\n`)
  await failed()
  t.match(failures[0], /line \d+, column \d+/)
})

t.test('a path starts where the config lies', async (t) => {
  const dir = t.testdir({
    'backends.json': JSON.stringify([{ id: 'a', url: urlOf(1) }]),
    'chat.yaml': `- id: b\n  url: ${urlOf(2)}\n`,
    'lb.config.mjs': `
      import { file } from 'wslb'
      export default {
        listen: { port: 0, host: '127.0.0.1' },
        backends: file('backends.json'),
        pools: { chat: { backends: file('./chat.yaml') } },
        routes: [{ path: '/chat', pool: 'chat' }, { pool: 'default' }],
        health: false,
      }`,
  })
  const balancer = createBalancer(await loadConfig(join(dir, 'lb.config.mjs')))
  t.teardown(() => balancer.close())
  await balancer.listen()
  t.match(
    balancer.snapshot().backends.map(({ pool, id }) => `${pool}/${id}`),
    ['chat/b', 'default/a'],
  )
  t.match(balancer.snapshot().pools, [
    { source: { name: 'file(./chat.yaml)' } },
    { source: { name: 'file(backends.json)' } },
  ])
  const other = createBalancer(
    { listen: { port: 0, host: '127.0.0.1' }, backends: file('backends.json') },
    { baseDir: dir },
  )
  t.teardown(() => other.close())
  await other.listen()
  t.same(other.snapshot().pools[0]!.backends, ['a'])
  await Promise.all([balancer.close(), other.close()])
  await until(() => watchers() === 0, 'the watchers to be closed')
})

t.test('a file url will do; other kinds of file are refused', async (t) => {
  t.equal(file(pathToFileURL('/srv/backends.yaml')).name, 'file(/srv/backends.yaml)')
  t.throws(() => file('backends.toml'), { code: 'WSLB_CONFIG_INVALID', message: /\.json, \.yaml or \.yml/ })
  t.throws(() => file(undefined as never), { code: 'WSLB_CONFIG_INVALID' })
})
