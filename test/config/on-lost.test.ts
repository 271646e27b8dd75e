import t from 'tap'
import { ConfigError } from '../../lib/core/errors.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'

const minimal = { backends: ['http://127.0.0.1:3000'] }
const resolved = (onLost: unknown) => resolveConfig({ ...minimal, onLost }).pools[0]!.onLost
const problemsOf = (config: object) => {
  try {
    resolveConfig(config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]))
  }
  return {}
}

const elsewhere = { wait: 0, then: 'rebalance' }

t.test('one action for every cause, or one for each', async (t) => {
  const reject = { wait: 0, then: 'reject' }
  const wait = { wait: 10_000, then: 'rebalance' }
  t.same(resolved('reject'), { down: reject, draining: reject, full: reject })
  t.same(resolved({ wait: '10s' }), { down: wait, draining: wait, full: wait })
  t.same(resolved({ draining: { wait: '10s' }, full: 'reject' }), {
    down: elsewhere,
    draining: wait,
    full: reject,
  })
  t.same(resolved({ down: { wait: 500, then: 'reject' } }), {
    ...{ down: { wait: 500, then: 'reject' }, draining: elsewhere, full: elsewhere },
  })
})

t.test('what would happen without it costs nothing', async (t) => {
  for (const onLost of [undefined, 'rebalance', {}, { down: 'rebalance' }])
    t.equal(resolved(onLost), undefined)
})

t.test('what is wrong with it is told with its path', async (t) => {
  const wrong: [unknown, string, RegExp][] = [
    ['rejct', 'onLost', /got "rejct"; .*did you mean "reject"/],
    [7, 'onLost', /got 7; expected "rebalance", "reject", \{ wait/],
    [{ wait: 0 }, 'onLost.wait', /got 0; expected milliseconds .*above 0/],
    [{ wait: '10 s' }, 'onLost.wait', /duration/],
    [{ then: 'reject' }, 'onLost.wait', /is missing/],
    [{ wait: '1s', then: 'wait' }, 'onLost.then', /got "wait"; expected "rebalance", "reject"/],
    [{ wait: '1s', until: 1 }, 'onLost.until', /unknown key/],
    [{ dwon: 'reject' }, 'onLost.dwon', /unknown key.*"down"/],
    [{ down: 'wait' }, 'onLost.down', /got "wait"/],
    [{ full: { wait: '1d' } }, 'onLost.full.wait', /duration/],
  ]
  for (const [onLost, path, message] of wrong)
    t.match(problemsOf({ ...minimal, onLost }), { [path]: message }, JSON.stringify(onLost))
})

t.test('it must have an effect', async (t) => {
  const noEffect = /no client belongs to a backend; remove it/
  t.match(problemsOf({ ...minimal, sticky: false, onLost: 'reject' }), { onLost: noEffect })
  t.match(problemsOf({ ...minimal, sticky: [], onLost: 'reject' }), { onLost: noEffect })
  const chat = { ...minimal, sticky: false, onLost: 'reject' }
  t.match(problemsOf({ pools: { chat }, routes: [{ pool: 'chat' }] }), { 'pools.chat.onLost': noEffect })
  t.match(problemsOf({ pools: { chat: minimal }, routes: [{ pool: 'chat' }], onLost: 'reject' }), {
    onLost: /write it into each pool/,
  })
  const down = { down: { wait: '10s' } }
  t.match(problemsOf({ ...minimal, health: false, onLost: down }), {
    'onLost.down.wait': /needs the health loop/,
  })
  t.same(problemsOf({ ...minimal, health: false, onLost: { draining: { wait: '10s' } } }), {})
})

t.test("'hash' is a policy", async (t) => {
  t.equal(resolveConfig({ ...minimal, balance: 'hash' }).pools[0]!.policy.name, 'hash')
})
