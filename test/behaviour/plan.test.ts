import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { wsClient } from '../support/clients.ts'
import { base, close, named, options, rejection, said, spec, stateOf } from '../support/reload.ts'

t.test('a plan says what a reload would do, and does nothing', async (t) => {
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => named(t, name)))
  const { balancer, url } = await startBalancer(t, { ...base, backends: [spec(a!), spec(b!)] }, options)
  const clients = await Promise.all([1, 2].map(() => wsClient(t, url)))
  const before = stateOf(balancer)
  const heard: unknown[] = []
  for (const name of ['config:reload', 'config:reject', 'backend:added', 'backend:draining'] as const)
    balancer.on(name, (event) => heard.push(event))
  const next = {
    ...base,
    listen: 1,
    backends: [spec(a!, { weight: 3 }), spec(c!)],
    drain: { over: '2s' },
  } as const

  const plan = await balancer.plan(next)
  t.same(plan, {
    added: ['c'],
    removed: ['b'],
    changed: ['a'],
    kept: [],
    tunnelsKept: 1,
    tunnelsDrained: 1,
    over: 2_000,
  })
  t.equal(stateOf(balancer), before)
  t.same(heard, [])
  for (const client of clients) t.equal(await said(client, 'still here'), 'still here')

  t.same(await balancer.reload({ ...next, listen: base.listen }), plan, 'the reload does just that')
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
