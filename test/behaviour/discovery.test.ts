import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { type WebSocket } from 'ws'
import { createBalancer, poll, type BackendConfig, type Config, type Source } from '../../lib/index.ts'
import { type Scope, startBalancer, type TestBalancer } from '../support/balancer.ts'
import { ask, wsClient } from '../support/clients.ts'
import { base, close, named, rejection, said, spec } from '../support/reload.ts'
import { until } from '../support/until.ts'

// Pools whose backends come from a source.

/** Lists that a test gives. */
function byHand(...first: BackendConfig[]) {
  let latest: readonly BackendConfig[] | undefined = first.length > 0 ? first : undefined
  const watchers = new Set<() => void>()
  const source: Source = {
    name: 'by-hand',
    async *watch({ signal }) {
      let wake = () => {}
      const heard = () => wake()
      watchers.add(heard)
      signal.addEventListener('abort', heard)
      try {
        for (let seen: unknown; !signal.aborted;) {
          if (latest && latest !== seen) yield (seen = latest) && latest
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        watchers.delete(heard)
      }
    },
  }
  const give = (...list: BackendConfig[]) => {
    latest = list
    for (const wake of watchers) wake()
  }
  return { source, give, watchers }
}

const ids = ({ balancer }: Pick<TestBalancer, 'balancer'>) => balancer.snapshot().backends.map(({ id }) => id)

async function socketsTo(t: Scope, { url }: Pick<TestBalancer, 'url'>, count: number): Promise<WebSocket[]> {
  return Promise.all(Array.from({ length: count }, () => wsClient(t, url)))
}

t.test('scale-out and scale-in: kept backends keep their tunnels, removed ones drain', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => named(t, name)))
  const { source, give, watchers } = byHand(spec(a!), spec(b!))
  const started = await startBalancer(t, {
    ...base,
    backends: source,
    discovery: { removeAfter: '2s' },
    drain: { over: 0 },
  })
  const { balancer, url, next } = started
  t.same(ids(started), ['a', 'b'], 'listen() has waited for the first list')
  t.match(balancer.snapshot().pools, [{ source: { name: 'by-hand', problem: null, updatedAt: Number } }])
  const [onA, onB] = await socketsTo(t, started, 2)
  const before = balancer.snapshot().backends

  let update = next('discovery:update')
  give(spec(a!), spec(b!), spec(c!))
  t.same(await update, { pool: 'default', source: 'by-hand', added: ['c'], removed: [], changed: [] })
  t.same(balancer.snapshot().backends.slice(0, 2), before, 'the others have not noticed')

  update = next('discovery:update')
  const closed = once(onB!, 'close')
  give(spec(c!), spec(a!))
  t.same((await update).removed, ['b'])
  t.equal((await closed)[0], 1012)
  t.same(ids(started), ['c', 'a'])
  t.equal(await said(onA!, 'still here'), 'still here')
  const answers = new Set<string>()
  for (let i = 0; i < 4; i++) answers.add((await ask(url)).body)
  t.same([...answers].sort(), ['a', 'c'])
  await close(onA!)
  await balancer.close()
  await until(() => watchers.size === 0, 'the source to end')
})

t.test('who flaps keeps everything', async (t) => {
  const [a, b] = await Promise.all(['a', 'b'].map((name) => named(t, name)))
  const { source, give } = byHand(spec(a!), spec(b!))
  const started = await startBalancer(t, { ...base, backends: source })
  const sockets = await socketsTo(t, started, 2)
  const removed: unknown[] = []
  started.balancer.on('backend:removed', (event) => removed.push(event))
  for (let turn = 0; turn < 5; turn++) {
    give(spec(a!))
    await said(sockets[0]!, 'a turn')
    give(spec(a!), spec(b!))
    await said(sockets[1]!, 'a turn')
  }
  t.same(removed, [])
  t.match(started.balancer.snapshot().backends, [{ tunnels: 1 }, { tunnels: 1, adminState: 'active' }])
  await Promise.all(sockets.map(close))
})

t.test('other settings of a backend count at once and cost it nothing', async (t) => {
  const a = await named(t, 'a')
  const { source, give } = byHand(spec(a))
  const { balancer, next, url } = await startBalancer(t, { ...base, backends: source })
  const [socket] = await socketsTo(t, { url }, 1)
  const update = next('discovery:update')
  give(spec(a, { weight: 3, maxConnections: 7 }))
  t.same((await update).changed, ['a'])
  t.match(balancer.snapshot().backends, [{ weight: 3, maxConnections: 7, tunnels: 1, upgrades: 1 }])
  await close(socket!)
})

t.test('a bad list, an empty one and a failure are told, and change nothing', async (t) => {
  const a = await named(t, 'a')
  const { source, give } = byHand(spec(a))
  const { balancer, url, next } = await startBalancer(t, { ...base, backends: source })
  const problem = () => balancer.snapshot().pools[0]!.source!.problem
  let failed = next('discovery:failed')
  give(spec(a), 'foo')
  t.match(await failed, {
    pool: 'default',
    source: 'by-hand',
    kept: 1,
    error: { code: 'WSLB_CONFIG_INVALID', problems: [{ path: 'backends[1]' }] },
  })
  t.match(problem(), /^backends\[1\]: got "foo"/)
  failed = next('discovery:failed')
  give()
  t.match(await failed, { error: { code: 'WSLB_DISCOVERY', message: /empty/ } })
  t.equal((await ask(url)).body, 'a')
  const update = next('discovery:update')
  give(spec(a))
  t.match(await update, { added: [], removed: [], changed: [] }, 'the recovery is told')
  t.equal(problem(), null)
})

t.test('listen() waits for startTimeout at most; then there is 503 until there is a list', async (t) => {
  const a = await named(t, 'a')
  const { source, give } = byHand()
  const config = { ...base, backends: source, discovery: { startTimeout: '1s' } } as const
  const { balancer, url, next } = await startBalancer(t, config)
  t.match(balancer.snapshot().pools, [
    { backends: [], source: { updatedAt: null, problem: 'it gave no list within 1000 ms' } },
  ])
  t.equal((await ask(url)).status, 503)
  const update = next('discovery:update')
  give(spec(a))
  t.same((await update).added, ['a'])
  t.equal((await ask(url)).body, 'a')
})

t.test('close() ends a listen() that waits for a list', async (t) => {
  const { source, watchers } = byHand()
  const balancer = createBalancer({ ...base, backends: source, discovery: { startTimeout: '1h' } })
  t.equal(watchers.size, 0, 'createBalancer() asks nobody')
  const listening = rejection(balancer.listen())
  await until(() => watchers.size === 1, 'the source to be asked')
  await balancer.close()
  t.equal((await listening).code, 'WSLB_CLOSED')
  await until(() => watchers.size === 0, 'the source to end')
})

t.test('a reload from a list to a source, to another, and back: never an empty moment', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => named(t, name)))
  const first = byHand()
  const second = byHand()
  const discovery = { removeAfter: 0 } as const
  const listed: Config = { ...base, backends: [spec(a!), spec(b!)] }
  const started = await startBalancer(t, listed)
  const { balancer, next } = started
  const [onA, onB] = await socketsTo(t, started, 2)
  const step = async (config: Config, expected: object) => {
    t.match(await balancer.plan(config), expected)
    t.match(await balancer.reload(config), expected)
  }

  const kept = { added: [], removed: [], tunnelsKept: 2, tunnelsDrained: 0, warnings: [] }
  await step(
    { ...listed, backends: first.source, discovery },
    { ...kept, kept: ['a', 'b'], sources: ['default from by-hand'], options: ['source', 'discovery'] },
  )
  t.same(ids(started), ['a', 'b'])
  let update = next('discovery:update')
  first.give(spec(a!), spec(b!), spec(c!))
  t.same(await update, { pool: 'default', source: 'by-hand', added: ['c'], removed: [], changed: [] })

  await step(
    { ...listed, backends: second.source, discovery },
    { ...kept, kept: ['a', 'b', 'c'], sources: [], options: [] },
  )
  await until(() => first.watchers.size === 0, 'the old source to end')
  t.same(ids(started), ['a', 'b', 'c'])
  first.give(spec(c!))
  update = next('discovery:update')
  second.give(spec(a!), spec(b!))
  t.same((await update).removed, ['c'])

  await step(listed, { ...kept, kept: ['a', 'b'], sources: [], options: ['source', 'discovery'] })
  await until(() => second.watchers.size === 0, 'the source to end')
  second.give(spec(c!))
  t.equal(balancer.snapshot().pools[0]!.source, null)
  t.equal(await said(onA!, 'still here'), 'still here')
  t.equal(await said(onB!, 'still here'), 'still here')
  t.same(ids(started), ['a', 'b'])
  await Promise.all([onA!, onB!].map(close))
})

t.test('the same source in a new config goes on, with the new options', async (t) => {
  const a = await named(t, 'a')
  const { source, give } = byHand(spec(a))
  let begun = 0
  const counted: Source = { ...source, watch: (context) => (begun++, source.watch(context)) }
  const config = { ...base, backends: counted }
  const { balancer, next } = await startBalancer(t, config)
  await Promise.all([
    balancer.reload({ ...config, discovery: { allowEmpty: true, removeAfter: 0 } }),
    balancer.reload({ ...config, discovery: { allowEmpty: true, removeAfter: '1ms' } }),
  ])
  t.equal(begun, 1)
  const update = next('discovery:update')
  give()
  t.same((await update).removed, ['a'])
})

t.test('a pool that is added by a reload, and one that leaves', async (t) => {
  const [a, b] = await Promise.all(['a', 'b'].map((name) => named(t, name)))
  const { source, watchers } = byHand(spec(b!))
  const one: Config = { ...base, backends: [spec(a!)] }
  const { balancer, url, next } = await startBalancer(t, one)
  const two: Config = {
    ...one,
    pools: { chat: { backends: source, health: false } },
    routes: [{ path: '/chat', pool: 'chat' }, { pool: 'default' }],
  }
  const update = next('discovery:update')
  t.match(await balancer.reload(two), { added: [], sources: ['chat from by-hand'], warnings: [] })
  t.same((await update).added, ['b'])
  t.equal((await ask(`${url}/chat`)).body, 'b')
  t.match(await balancer.reload(one), { removed: ['chat/b'] })
  await until(() => watchers.size === 0, 'the source to end')
  t.equal((await ask(`${url}/chat`)).body, 'a')
})

t.test('a function and an async iterable are sources as they are', async (t) => {
  const [a, b] = await Promise.all(['a', 'b'].map((name) => named(t, name)))
  async function* lists() {
    yield [spec(b!)]
  }
  const directory = async () => [spec(a!)]
  const { balancer, url } = await startBalancer(t, {
    listen: base.listen,
    pools: {
      main: { backends: directory, health: false },
      chat: { backends: lists(), health: false },
      own: { backends: poll(directory), health: false },
    },
    routes: [{ path: '/chat', pool: 'chat' }, { path: '/own', pool: 'own' }, { pool: 'main' }],
  })
  t.equal((await ask(url)).body, 'a')
  t.equal((await ask(`${url}/chat`)).body, 'b')
  t.match(
    balancer.snapshot().pools.map(({ source }) => source?.name),
    ['poll(directory)', 'iterable', 'poll(directory)'],
  )
})

t.test('inside a server of your own the first request starts the sources', async (t) => {
  const a = await named(t, 'a')
  const { source, watchers } = byHand(spec(a))
  const balancer = createBalancer({ backends: source, health: false })
  t.teardown(() => balancer.close())
  const server = createServer(balancer.handleRequest).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  t.equal(watchers.size, 0)
  const update = new Promise((resolve) => balancer.once('discovery:update', resolve))
  t.equal((await ask(url)).status, 503)
  await update
  t.equal((await ask(url)).body, 'a')
})

t.test('what a config may say', async (t) => {
  const problems = (config: object) => {
    try {
      createBalancer(config)
      return []
    } catch (error) {
      return (error as { problems: { path: string; message: string }[] }).problems
    }
  }
  t.same(problems({ backends: async () => [] }), [])
  t.match(problems({ backends: 17 }), [
    { path: 'backends', message: /^got 17; expected a list .*or a source/ },
  ])
  t.match(problems({ backends: { name: 'x' } }), [
    { path: 'backends', message: /a name and a watch function/ },
  ])
  t.match(problems({ backends: async () => [], discovery: { removeAfter: 'soon', empty: true } }), [
    { path: 'discovery.removeAfter' },
    { path: 'discovery.empty', message: /unknown key/ },
  ])
  t.match(problems({ backends: ['http://a'], discovery: {} }), [{ path: 'discovery', message: /no effect/ }])
  t.match(problems({ pools: { a: { backends: [], discovery: {} } }, routes: [{ pool: 'a' }] }), [
    { path: 'pools.a.discovery' },
  ])
})
