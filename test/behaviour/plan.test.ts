import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { wsClient } from '../support/clients.ts'
import { base, close, named, options, rejection, said, spec, stateOf } from '../support/reload.ts'

t.test('a plan says what a reload would do, and does nothing', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => named(t, name)))
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(a!), spec(b!)] }, options)
  const { port } = balancer.snapshot().listeners[0]!
  const clients = await Promise.all([1, 2].map(() => wsClient(t, url)))
  const before = stateOf(balancer)
  const heard: unknown[] = []
  for (const name of ['config:reload', 'config:reject', 'backend:added', 'backend:draining'] as const)
    balancer.on(name, (event) => heard.push(event))
  const next = {
    ...base,
    listen: { port: 1, host: '::1', tls: 'self-signed' },
    balance: 'random',
    timeouts: { keepAlive: '9s' },
    hooks: { onRequest: () => undefined },
    backends: [spec(a!, { weight: 3 }), spec(c!)],
    drain: { over: '2s' },
  } as const

  const plan = await balancer.plan(next)
  t.same(plan, {
    added: ['c'],
    removed: ['b'],
    changed: ['a'],
    kept: [],
    sources: [],
    tunnelsKept: 1,
    tunnelsDrained: 1,
    over: 2_000,
    listeners: { added: ['https://[::1]:1'], removed: [`http://127.0.0.1:${port}`] },
    options: ['listen.tls', 'hooks', 'timeouts', 'drain', 'balance'],
    warnings: [],
  })
  t.equal(stateOf(balancer), before)
  t.same(heard, [])
  for (const client of clients) t.equal(await said(client, 'still here'), 'still here')

  const done = await balancer.reload({ ...next, listen: base.listen })
  const elsewhere = { listeners: { added: [], removed: [] }, options: plan.options.slice(1) }
  t.same(done, { ...plan, ...elsewhere }, 'the reload does just that')
  await Promise.all(clients.map(close))
})

t.test(
  'a plan of a config that is not valid says so as a reload would, and nothing is rejected',
  async (t) => {
    const { balancer } = await startBalancer(t, { ...base, backends: [] }, options)
    balancer.on('config:reject', () => t.fail('rejected'))
    const wrong = { ...base, backends: ['nonsense'], blance: 'random' }
    const error = await rejection(balancer.plan(wrong))
    t.match(error, { code: 'WSLB_CONFIG_INVALID', problems: [{ path: 'backends[0]' }, { path: 'blance' }] })
  },
)

t.test('a plan waits for the reload before it, and is refused by a closed balancer', async (t) => {
  const a = await named(t, 'a')
  const { balancer } = await startBalancer(t, { ...base, backends: [] }, options)
  const next = { ...base, backends: [spec(a)] }
  const [, plan] = await Promise.all([balancer.reload(next), balancer.plan(next)])
  t.match(plan, { added: [], kept: ['a'] })
  await balancer.close()
  t.match(await rejection(balancer.plan(next)), { code: 'WSLB_CLOSED' })
})

t.test('a plan names the options of pools that differ, and does not pretend to know functions', async (t) => {
  const pool = (more: object = {}) => ({
    chat: { backends: ['http://127.0.0.1:1'], health: false as const, ...more },
  })
  const config = { listen: base.listen, routes: [{ path: '/*', pool: 'chat' }], pools: pool() }
  const hooks = () => ({ hooks: { onRequest: () => undefined, onMessage: () => undefined } })
  const { balancer } = await startBalancer(t, { ...config, pools: pool(), ...hooks() }, options)
  const optionsOf = async (next: object) =>
    (await balancer.plan({ ...config, pools: pool(), ...hooks(), ...next })).options
  t.same(await optionsOf({}), [])
  t.same(await optionsOf({ routes: [{ pool: 'chat' }] }), ['routes'])
  t.same(await optionsOf({ hooks: { onRequest: () => undefined } }), ['hooks'])
  const all = { balance: 'p2c', sticky: false, health: { interval: '1s' }, rebalance: {} }
  t.same(
    await optionsOf({ pools: pool(all) }),
    ['balance', 'sticky', 'health', 'rebalance'].map((name) => `pools.chat.${name}`),
  )
  t.same(
    await optionsOf({ websocket: { ping: '9s' }, attempts: 1, admission: { maxWait: 0 }, trustProxy: true }),
    ['websocket', 'attempts', 'admission', 'trustProxy'],
  )
})

t.test('a pool that nobody would serve is a warning', async (t) => {
  const [blue, green] = await Promise.all(['blue', 'green'].map((name) => named(t, name)))
  const config = { ...base, backends: [spec(blue!), spec(green!)] }
  const { balancer } = await startBalancer(t, config, options)
  const warningsOf = async (next: object) => (await balancer.plan({ ...config, ...next })).warnings
  t.same(await warningsOf({}), [])
  await balancer.drain('blue')
  t.same(await warningsOf({}), [])
  t.same(await warningsOf({ backends: [spec(blue!)] }), [
    'pool default: its backend is drained; it will answer 503',
  ])
  t.same(await warningsOf({ backends: [] }), ['pool default: no backends; it will answer 503'])
  await balancer.drain('green')
  const all = ['pool default: all 2 backends are drained; it will answer 503']
  t.same(await warningsOf({}), all)
  t.same((await balancer.reload(config)).warnings, all)
  balancer.restore('green')
  t.same(await warningsOf({}), [])
})
