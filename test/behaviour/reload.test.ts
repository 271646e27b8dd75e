import t from 'tap'
import { type ConfigError, type WslbError } from '../../lib/core/errors.ts'
import { httpBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, wsClient } from '../support/clients.ts'
import { options, LOCAL, named, spec, said, close, rejection, base, stateOf } from '../support/reload.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'

/** @returns how often each name was the answer */
async function count(url: string, times: number): Promise<Record<string, number>> {
  const names: Record<string, number> = {}
  for (let i = 0; i < times; i++) {
    const { body } = await ask(url)
    names[body] = (names[body] ?? 0) + 1
  }
  return names
}

t.test('echo goes on across twenty reloads, and no message is lost', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(red)] }, options)
  const clients = await Promise.all(Array.from({ length: 10 }, () => wsClient(t, url)))
  const sent = clients.map(() => [] as string[])
  const heard = clients.map(() => [] as string[])
  clients.forEach((client, i) => client.on('message', (data: Buffer) => heard[i]!.push(data.toString())))
  const open = red.open
  for (let round = 0; round < 20; round++) {
    clients.forEach((client, i) => {
      for (let n = 0; n < 20; n++) {
        const text = `${i}/${round}/${n}`
        sent[i]!.push(text)
        client.send(text)
      }
    })
    const plan = await balancer.reload({
      ...base,
      backends: [spec(red, { weight: 1 + (round % 3) }), ...(round % 2 ? [spec(blue)] : [])],
      hooks: { onRequest: () => undefined },
    })
    t.equal(plan.tunnelsKept, clients.length)
  }
  await until(() => heard.every((texts, i) => texts.length === sent[i]!.length), 'every echo')
  t.same(heard, sent)
  t.equal(red.total, open, 'on the connections of the beginning')
  t.match(balancer.snapshot().backends[0], { id: 'red', tunnels: 10, upgrades: 10 })
  await Promise.all(clients.map(close))
})

t.test('a kept backend keeps health, admin state and counters', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const health = { interval: '20ms', debounce: '40ms' } as const
  const probe = (backend: { id: string }) =>
    backend.id === 'blue' ? Promise.reject(new Error('unwell')) : Promise.resolve()
  const config = { ...base, health: { ...health, probe }, backends: [spec(red), spec(blue)] }
  const { balancer, url, next } = await startBalancer(t, config, options)
  t.match(await next('backend:down'), { backend: 'blue', reason: 'probe: unwell' })
  t.same(await count(url, 4), { red: 4 })
  const before = balancer.snapshot().backends
  t.match(before, [
    { id: 'red', health: 'up', requests: 4 },
    { id: 'blue', health: 'down' },
  ])
  const announced: string[] = []
  balancer.on('backend:up', ({ backend }) => announced.push(backend))
  balancer.on('backend:down', ({ backend }) => announced.push(backend))
  const { total } = red
  await balancer.reload({ ...config, health: { ...config.health, interval: '10s' } })
  t.same(balancer.snapshot().backends, before)
  t.same(announced, [], 'nothing is announced twice')
  t.same(await count(url, 1), { red: 1 })
  t.equal(red.total, total, 'the connection for requests is kept too')
  await balancer.drain('red')
  await balancer.reload(config)
  t.equal(balancer.snapshot().backends[0]!.adminState, 'draining', 'what the operator wished holds on')
})

t.test('the plan says what was added, removed, changed and kept', async (t) => {
  const all = await Promise.all(['a', 'b', 'c', 'd'].map((name) => named(t, name)))
  const [a, b, c, d] = all
  const config = { ...base, backends: [spec(a!), spec(b!), spec(c!)] }
  const { balancer, url, next } = await startBalancer(t, config, options)
  const clients = await Promise.all([1, 2, 3].map(() => wsClient(t, url)))
  const heard = next('config:reload')
  const plan = await balancer.reload({
    ...base,
    backends: [spec(a!), spec(b!, { weight: 3 }), spec(d!)],
  })
  t.same(plan, {
    added: ['d'],
    removed: ['c'],
    changed: ['b'],
    kept: ['a'],
    sources: [],
    tunnelsKept: 2,
    tunnelsDrained: 1,
    over: 30_000,
    listeners: { added: [], removed: [] },
    options: [],
    warnings: [],
  })
  t.same((await heard).plan, plan)
  for (const client of clients) client.close()
})

t.test('a new weight counts from the next request on', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(red), spec(blue)] }, options)
  t.same(await count(url, 8), { red: 4, blue: 4 })
  await balancer.reload({ ...base, backends: [spec(red, { weight: 3 }), spec(blue)] })
  t.same(await count(url, 8), { red: 6, blue: 2 })
  await balancer.reload({ ...base, backends: [spec(red, { weight: 0 }), spec(blue)] })
  t.same(await count(url, 4), { blue: 4 })
})

t.test('an added backend gets traffic at once, with the health loop running', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const config = { ...base, health: { interval: '10s' as const }, backends: [spec(red)] }
  const { balancer, url } = await startBalancer(t, config, options)
  const events: string[] = []
  balancer.on('backend:added', ({ backend }) => events.push(`added ${backend}`))
  balancer.on('backend:removed', ({ backend }) => events.push(`removed ${backend}`))
  await balancer.reload({ ...config, backends: [spec(red), spec(blue)] })
  t.same(await count(url, 4), { red: 2, blue: 2 })
  await balancer.reload({ ...config, backends: [spec(blue)] })
  t.same(events, ['added blue', 'removed red'])
})

t.test(
  'a removed backend gets no new work; what is open there goes on, and is cut at the deadline',
  async (t) => {
    const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
    const drain = { over: '10s', deadline: '10s' } as const
    const { balancer, url, next } = await startBalancer(t, { ...base, backends: [spec(red)], drain }, options)
    const client = await wsClient(t, url)
    // Never answered, so never done: not even by a Close frame.
    client.pause()
    await balancer.reload({ ...base, backends: [spec(blue)], drain: { over: '100ms', deadline: '300ms' } })
    t.same(await count(url, 4), { blue: 4 })
    t.same(
      balancer.snapshot().backends.map(({ id }) => id),
      ['blue'],
    )
    t.match(await next('backend:drained'), { backend: 'red', cut: 1 })
    await until(() => red.open === 0, 'the connection to end')
    client.terminate()
  },
)

t.test('a long request on a removed backend ends as if nothing had happened', async (t) => {
  let finish!: () => void
  const red = await httpBackend(t, (_request, response) => {
    response.write('first ')
    finish = () => response.end('last')
  })
  const blue = await named(t, 'blue')
  const { balancer, url } = await startBalancer(t, { ...base, backends: [red.url] }, options)
  const answer = ask(url)
  await until(() => finish !== undefined, 'the request')
  await balancer.reload({ ...base, backends: [blue.url] })
  finish()
  t.equal((await answer).body, 'first last')
  await until(() => red.open === 0, 'the connections for requests to be closed')
})

t.test('the same id with another url is another backend', async (t) => {
  const [old, fresh] = [await named(t, 'old'), await named(t, 'fresh')]
  const { balancer, url } = await startBalancer(
    t,
    { ...base, backends: [{ id: 'one', url: old.url }] },
    options,
  )
  t.same(await count(url, 2), { old: 2 })
  const client = await wsClient(t, url)
  const plan = await balancer.reload({ ...base, backends: [{ id: 'one', url: fresh.url }] })
  t.match(plan, { added: ['one'], removed: ['one'], kept: [], tunnelsDrained: 1 })
  t.match(balancer.snapshot().backends, [{ id: 'one', url: fresh.url, requests: 0, tunnels: 0 }])
  t.same(await count(url, 2), { fresh: 2 })
  t.equal(await said(client, 'old socket'), 'old socket')
  await close(client)
})

t.test('pools and routes come and go', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const rest = { listen: LOCAL }
  const pool = (backend: typeof red) => ({ backends: [spec(backend)], health: false as const })
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(red)] }, options)
  const client = await wsClient(t, url)
  t.equal((await ask(`${url}/chat`)).body, 'red')
  const plan = await balancer.reload({
    ...rest,
    pools: { default: pool(red), chat: pool(blue) },
    routes: [
      { path: '/chat/*', pool: 'chat' },
      { path: '/*', pool: 'default' },
    ],
  })
  t.match(plan, { added: ['chat/blue'], kept: ['red'], tunnelsKept: 1 })
  t.equal((await ask(`${url}/chat`)).body, 'blue')
  t.equal((await ask(`${url}/`)).body, 'red')
  const chat = await wsClient(t, `${url}/chat/room`)
  const next = await balancer.reload({
    ...rest,
    pools: { default: pool(red) },
    routes: [{ path: '/only', pool: 'default' }],
  })
  t.match(next, { removed: ['chat/blue'], tunnelsKept: 1, tunnelsDrained: 1 })
  t.equal((await ask(`${url}/chat`)).status, 404)
  t.equal((await ask(`${url}/only`)).body, 'red')
  t.equal(await said(client, 'kept'), 'kept')
  t.equal(await said(chat, 'not cut yet'), 'not cut yet')
  await Promise.all([close(client), close(chat)])
})

t.test('policy and stickiness change for the next client', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const config = { ...base, backends: [spec(red), spec(blue)] }
  const { balancer, url } = await startBalancer(t, config, options)
  t.equal((await ask(url)).headers['set-cookie'], undefined)
  const picky = {
    name: 'blue only',
    pick: (all: readonly { id: string }[]) => all.find(({ id }) => id === 'blue'),
  }
  await balancer.reload({ ...config, balance: picky as never, sticky: 'cookie' })
  t.same(balancer.snapshot().pools, [
    {
      name: 'default',
      balance: 'blue only',
      sticky: ['cookie'],
      backends: ['red', 'blue'],
      panic: false,
      source: null,
    },
  ])
  const { headers, body } = await ask(url)
  t.equal(body, 'blue')
  const cookie = headers['set-cookie']![0]!.split(';')[0]!
  await balancer.reload({ ...config, sticky: 'cookie' })
  for (let i = 0; i < 4; i++)
    t.equal((await ask(url, { headers: { cookie } })).body, 'blue', 'cookies hold on')
})

t.test('an invalid config rejects with every problem, and nothing has changed', async (t) => {
  const red = await named(t, 'red')
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(red)] }, options)
  const client = await wsClient(t, url)
  const before = stateOf(balancer)
  const rejects: WslbError[] = []
  balancer.on('config:reject', ({ error }) => rejects.push(error))
  const error = (await rejection(
    balancer.reload({
      ...base,
      backends: [spec(red), { url: 'ftp://x' }, { url: red.url, weight: -1 }],
      balence: 'random',
      attempts: 0,
    } as never),
  )) as ConfigError
  t.equal(error.code, 'WSLB_CONFIG_INVALID')
  const paths = error.problems.map(({ path }) => path)
  for (const path of ['backends[1].url', 'backends[2].weight', 'balence', 'attempts'])
    t.ok(paths.includes(path), path)
  t.match(error.message, /did you mean .*balance/)
  t.same(rejects, [error])
  t.equal(stateOf(balancer), before)
  t.equal(await said(client, 'on'), 'on')
  await close(client)
})

t.test('reloads at the same time happen one after the other; the last one holds', async (t) => {
  const names = Array.from({ length: 8 }, (_, i) => `b${i}`)
  const backends = await Promise.all(names.map((name) => named(t, name)))
  const ports = [await freePort(), await freePort()]
  const { balancer } = await startBalancer(t, { ...base, backends: [] }, options)
  const configs = backends.map((backend, i) => ({
    ...base,
    listen: [LOCAL, { ...LOCAL, port: ports[i % 2]! }],
    backends: [spec(backend)],
  }))
  const plans = await Promise.all([
    ...configs.map((config) => balancer.reload(config)),
    rejection(balancer.reload({ nonsense: true } as never)),
  ])
  t.same(
    plans.slice(0, -1).map((plan) => ('added' in plan ? [plan.added, plan.removed] : plan)),
    names.map((name, i) => [[name], i === 0 ? [] : [names[i - 1]]]),
    'each is a difference to the one before',
  )
  t.same(
    balancer.snapshot().backends.map(({ id }) => id),
    ['b7'],
  )
  t.equal((await ask(`http://127.0.0.1:${ports[1]}`)).body, 'b7')
})

t.test('what a reload does is told when it is done', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const { balancer } = await startBalancer(t, { ...base, backends: [spec(red)] }, options)
  const seen: string[] = []
  const note = (name: string) => () =>
    seen.push(
      `${name}: ${balancer
        .snapshot()
        .backends.map(({ pool, id }) => `${pool}/${id}`)
        .join(' ')}`,
    )
  balancer.on('backend:added', note('added'))
  balancer.on('backend:removed', note('removed'))
  balancer.on('backend:added', () => void balancer.drain('chat/blue', { over: 0 }))
  const next = {
    pools: { chat: { backends: [spec(blue)], health: false } },
    routes: [{ pool: 'chat' }],
  } as const
  await balancer.reload({ listen: LOCAL, ...next })
  t.same(seen.sort(), ['added: chat/blue', 'removed: chat/blue'])
  t.equal(balancer.snapshot().backends[0]!.adminState, 'draining', 'and can be acted on')
})

t.test('closed by a listener of the reload, it leaves nothing open', async (t) => {
  const [red, blue] = [await named(t, 'red'), await named(t, 'blue')]
  const { balancer } = await startBalancer(t, { ...base, backends: [spec(red)] }, options)
  let closed: Promise<void> | undefined
  balancer.on('backend:removed', () => {
    closed = balancer.close()
  })
  const port = await freePort()
  await balancer.reload({ ...base, listen: [LOCAL, { ...LOCAL, port }], backends: [spec(blue)] })
  await closed
  await t.rejects(ask(`http://127.0.0.1:${port}`), { code: 'ECONNREFUSED' })
  t.same(balancer.snapshot().listeners, [])
})
