import t from 'tap'
import { type Pool } from '../../lib/pool/pool.ts'
import { type MessageRule } from '../../lib/proxy/message-hook.ts'
import { Router, type RouteSpec } from '../../lib/proxy/router.ts'
import { plainRequest } from '../support/plain.ts'

/** Names the pool a request would get; a name stands for the pool. */
function routed(routes: Partial<RouteSpec>[], host: string, url: string): unknown {
  const specs = routes.map((route, index) => ({
    host: undefined,
    path: undefined,
    onMessage: undefined,
    pool: `pool${index}`,
    ...route,
  }))
  const pools = new Map(specs.map(({ pool }) => [pool, pool as unknown as Pool]))
  return new Router(specs, pools).match(plainRequest({ host, url }))?.pool
}

t.test('hosts match by name, whatever their case and port', async (t) => {
  t.equal(routed([{ host: 'a.test' }], 'A.Test:8443', '/'), 'pool0')
  t.equal(routed([{ host: 'a.test' }], 'b.a.test', '/'), undefined)
  t.equal(routed([{ host: '*.a.test' }], 'x.y.a.test', '/'), 'pool0')
  t.equal(routed([{ host: '*.a.test' }], 'a.test', '/'), undefined)
  t.equal(routed([{ host: '*.a.test' }], 'nota.test', '/'), undefined)
})

t.test('paths match exactly or by prefix, the query not counted', async (t) => {
  t.equal(routed([{ path: '/chat' }], '', '/chat?x=1'), 'pool0')
  t.equal(routed([{ path: '/chat' }], '', '/chat/'), undefined)
  for (const url of ['/chat', '/chat/', '/chat/a/b?c'])
    t.equal(routed([{ path: '/chat/*' }], '', url), 'pool0', url)
  t.equal(routed([{ path: '/chat/*' }], '', '/chatter'), undefined)
  t.equal(routed([{ path: '/chat*' }], '', '/chatter'), 'pool0')
})

t.test('the first route that matches decides', async (t) => {
  const routes = [{ host: 'a.test', path: '/x/*' }, { path: '/x/*' }, {}]
  t.equal(routed(routes, 'a.test', '/x/1'), 'pool0')
  t.equal(routed(routes, 'b.test', '/x/1'), 'pool1')
  t.equal(routed(routes, 'a.test', '/y'), 'pool2')
})

t.test(
  'the rule for messages is found by the name of the route; the first of that name counts',
  async (t) => {
    const rules = [1, 2, 3].map((maxSize) => ({ maxSize }) as MessageRule)
    const router = new Router(
      [
        { host: 'a.test', path: '/x', pool: 'p', onMessage: rules[0] },
        { host: undefined, path: 'a.test/x', pool: 'p', onMessage: rules[1] },
        { host: undefined, path: undefined, pool: 'p', onMessage: rules[2] },
      ],
      new Map(),
    )
    t.equal(router.onMessage('a.test/x'), rules[0])
    t.equal(router.onMessage('*'), rules[2])
    t.equal(router.onMessage('/gone'), undefined)
  },
)
