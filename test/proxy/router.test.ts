import t from 'tap'
import { type Pool } from '../../lib/pool/pool.ts'
import { type MessageRule } from '../../lib/proxy/message-hook.ts'
import { type HeaderCondition } from '../../lib/proxy/route-conditions.ts'
import { Router, type RouteSpec } from '../../lib/proxy/router.ts'
import { plainRequest } from '../support/plain.ts'

const ANY = { host: undefined, path: undefined, method: undefined, header: undefined }
const NO_HOOKS = { onMessage: undefined, select: undefined }

/** A name stands for the pool. */
function routerOf(routes: Partial<RouteSpec>[]): Router {
  const specs = routes.map((route, index) => ({
    ...{ ...ANY, ...NO_HOOKS, name: `route${index}`, pool: `pool${index}` },
    ...route,
  }))
  return new Router(specs, new Map(specs.map(({ pool }) => [pool, pool as unknown as Pool])))
}

/** Names the pool a request would get. */
function routed(routes: Partial<RouteSpec>[], host: string, url: string): unknown {
  return routerOf(routes).match(plainRequest({ host, url }))?.pool
}

t.test('hosts match by name, whatever their case and port', async (t) => {
  t.equal(routed([{ host: 'a.test' }], 'A.Test:8443', '/'), 'pool0')
  t.equal(routed([{ host: 'a.test' }], 'a.test.', '/'), 'pool0')
  t.equal(routed([{ host: 'a.test' }], 'a.test.:80', '/'), 'pool0')
  t.equal(routed([{ host: 'a.test' }], 'b.a.test', '/'), undefined)
  t.equal(routed([{ host: 'a.test' }], '', '/'), undefined)
  t.equal(routed([{ host: '*.a.test' }], 'x.y.a.test', '/'), 'pool0')
  t.equal(routed([{ host: '*.a.test' }], 'X.A.test.:1', '/'), 'pool0')
  t.equal(routed([{ host: '*.a.test' }], 'a.test', '/'), undefined)
  t.equal(routed([{ host: '*.a.test' }], '.a.test', '/'), undefined)
  t.equal(routed([{ host: '*.a.test' }], 'nota.test', '/'), undefined)
  for (const host of ['[::1]', '[::1]:80', '[0:0:0:0:0:0:0:1]', '[0::0001]:443'])
    t.equal(routed([{ host: '[::1]' }], host, '/'), 'pool0', host)
  t.equal(routed([{ host: '[::1]' }], '[::2]', '/'), undefined)
})

t.test('paths match exactly or by prefix, the query not counted', async (t) => {
  t.equal(routed([{ path: '/chat' }], '', '/chat?x=1'), 'pool0')
  t.equal(routed([{ path: '/chat' }], '', '/chat/'), undefined)
  for (const url of ['/chat', '/chat/', '/chat/a/b?c'])
    t.equal(routed([{ path: '/chat/*' }], '', url), 'pool0', url)
  t.equal(routed([{ path: '/chat/*' }], '', '/chatter'), undefined)
  t.equal(routed([{ path: '/chat*' }], '', '/chatter'), 'pool0')
  t.equal(routed([{ path: '/chat/*' }], '', '/Chat/'), undefined, 'upper and lower case differ')
})

t.test('the first route that matches decides', async (t) => {
  const routes = [{ host: 'a.test', path: '/x/*' }, { path: '/x/*' }, {}]
  t.equal(routed(routes, 'a.test', '/x/1'), 'pool0')
  t.equal(routed(routes, 'b.test', '/x/1'), 'pool1')
  t.equal(routed(routes, 'a.test', '/y'), 'pool2')
  const mixed = [{ path: '/x/*' }, { host: 'a.test', path: '/x/y' }, { path: '/x/y' }, { host: 'a.test' }]
  t.equal(routed(mixed, 'a.test', '/x/y'), 'pool0', 'not the one with the most conditions')
  t.equal(routed(mixed.slice(1), 'a.test', '/x/y'), 'pool0')
  t.equal(routed(mixed.slice(2), 'a.test', '/x/y'), 'pool0')
  t.equal(routed(mixed.slice(2), 'a.test', '/x/z'), 'pool1')
})

t.test('an escape says the same as what it stands for', async (t) => {
  const routes = [{ path: '/chat/*' }, { path: '/caf%C3%A9' }, {}]
  t.equal(routed(routes, '', '/%63hat/x'), 'pool0')
  t.equal(routed(routes, '', '/chat/a%20b%25'), 'pool0')
  t.equal(routed(routes, '', '/caf%c3%a9'), 'pool1')
  t.equal(routed(routes, '', '/%zz'), 'pool2', 'what is no escape is left alone')
})

t.test('a path that takes another route when it is read in another way is refused', async (t) => {
  const routes = [{ path: '/admin/*' }, { path: '/chat/*' }, {}]
  for (const url of [
    '//admin/',
    '/x/../admin/',
    '/x/%2e%2e/admin/',
    '/x/.%2E/admin/',
    '/./admin',
    '/x/..%2fadmin/',
    '/x\\..\\admin/',
    '/x/..%5Cadmin',
    '/x/..;/admin/',
    '/admin;v=1/',
    '/admin%2Fx',
    '/chat/..%2fadmin/',
    '/chat/../x',
    '/a//../admin/x',
    '/admin/../chat/x',
  ]) {
    const match = () => routerOf(routes).match(plainRequest({ url }))
    t.throws(match, { code: 'WSLB_BAD_REQUEST', status: 400 }, url)
    t.ok(routerOf(routes).claims(plainRequest({ url })), 'nobody else is given it either')
    t.equal(routed([{}], '', url), 'pool0', `${url}: with one route for all there is nothing to confuse`)
  }
  for (const [url, pool] of [
    ['/chat/a//b', 'pool1'],
    ['/chat/./a', 'pool1'],
    ['/chat/x;y=1', 'pool1'],
    ['/chat/a%2Fb', 'pool1'],
    ['/chat/..a', 'pool1'],
    ['/x/%2e%2e/y', 'pool2'],
    ['/.well-known/x', 'pool2'],
    ['/https://example.com/a', 'pool2'],
  ] as const)
    t.equal(routed(routes, '', url), pool, url)
  t.throws(
    () => routed([{ path: '/chat/*' }], '', '/chat/../x'),
    { code: 'WSLB_BAD_REQUEST' },
    'no route is one too',
  )
})

t.test('methods and headers are conditions too, and all must hold', async (t) => {
  const matches = (route: Partial<RouteSpec>, headers: Record<string, string>, method = 'GET') =>
    routerOf([route]).match(plainRequest({ headers, method })) !== undefined
  t.ok(matches({ method: ['GET', 'HEAD'] }, {}, 'HEAD'))
  t.notOk(matches({ method: ['GET'] }, {}, 'POST'))
  const given = { 'x-version': 'beta', upgrade: 'WebSocket', connection: 'keep-alive, Upgrade' }
  const list = { 'x-list': 'a, b ,c d' }
  const header = (name: string, condition: HeaderCondition) => ({ header: [[name, condition] as const] })
  for (const [name, condition, expected] of [
    ['x-version', 'beta', true],
    ['x-version', 'Beta', false],
    ['x-version', 'bet', false],
    ['x-version', ['alpha', 'beta'], true],
    ['x-version', ['alpha'], false],
    ['x-version', true, true],
    ['x-version', false, false],
    ['x-version', /^b/, true],
    ['x-version', /^c/, false],
    ['x-none', true, false],
    ['x-none', false, true],
    ['x-none', 'x', false],
    ['x-none', /undefined/, false],
    ['upgrade', 'websocket', true],
    ['connection', 'upgrade', true],
    ['x-list', 'a', true],
    ['x-list', 'b', true],
    ['x-list', 'c d', true],
    ['x-list', 'a, b ,c d', true],
    ['x-list', 'c', false],
    ['x-list', 'd', false],
  ] as [string, HeaderCondition, boolean][])
    t.equal(matches(header(name, condition), { ...given, ...list }), expected, `${name} ${String(condition)}`)
  const both = { header: [...header('x-version', 'beta').header, ...header('x-list', true).header] }
  t.notOk(matches(both, given))
  t.ok(matches({ ...both, method: ['GET'] }, { ...given, ...list }))
  t.notOk(matches({ ...both, method: ['PUT'] }, { ...given, ...list }))
})

t.test('the rule for messages is found by the name of the route', async (t) => {
  const rules = [1, 2].map((maxSize) => ({ maxSize }) as MessageRule)
  const router = routerOf([
    { name: 'chat', host: 'a.test', path: '/x', onMessage: rules[0] },
    { name: '*', onMessage: rules[1] },
  ])
  t.equal(router.onMessage('chat'), rules[0])
  t.equal(router.onMessage('*'), rules[1])
  t.equal(router.onMessage('/gone'), undefined)
})

t.test('of a thousand hosts and paths only those are looked at that can match', async (t) => {
  let asked = 0
  class Counting extends RegExp {
    override test(): boolean {
      asked++
      return true
    }
  }
  const header = [['x', new Counting('')]] as const
  const routes = Array.from({ length: 1_000 }, (_, index) => ({
    ...{ host: `t${index % 500}.test`, path: `/${Math.floor(index / 500)}`, header },
  }))
  const request = plainRequest({ host: 't499.test', url: '/1', headers: { x: '1' } })
  t.equal(routerOf(routes).match(request)?.pool, 'pool999')
  t.equal(asked, 1)
})
