import t from 'tap'
import { createBalancer } from '../../lib/balancer.ts'
import { type Config, type RouteConfig } from '../../lib/config/config.ts'
import { resolveConfig } from '../../lib/config/resolve.ts'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { ask, rawClient } from '../support/clients.ts'
import { greetingOf, namedBackends } from '../support/named.ts'

const listen = { port: 0, host: '127.0.0.1' }

t.test('two pools on one host: each has a cookie, and nobody loses theirs', async (t) => {
  const chat = await namedBackends(t, 'chat1', 'chat2')
  const main = await namedBackends(t, 'main1', 'main2')
  const { url } = await startBalancer(t, {
    listen,
    backends: main,
    balance: inTurn(),
    pools: { chat: { backends: chat, balance: inTurn(), health: false } },
    routes: [{ path: '/chat/*', pool: 'chat' }, { pool: 'default' }],
  })
  const jar = new Map<string, string>()
  const visit = async (path: string) => {
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ')
    const { body, headers } = await ask(url + path, { headers: cookie ? { cookie } : {} })
    for (const line of headers['set-cookie'] ?? []) {
      const [name, value] = line.split(';')[0]!.split('=')
      jar.set(name!, value!)
    }
    return body
  }
  const [home, room] = [await visit('/'), await visit('/chat/1')]
  t.match(home, /^main/)
  t.match(room, /^chat/)
  t.strictSame([...jar.keys()], ['server', 'server-chat'])
  for (let turn = 0; turn < 4; turn++) {
    t.equal(await visit('/'), home)
    t.equal(await visit('/chat/2'), room)
  }
  const cookie = [...jar].map((pair) => pair.join('=')).join('; ')
  t.equal(await greetingOf(`${url}/chat/1`, { cookie }), room, 'upgrades too')
})

t.test('requests and upgrades go by method and header', async (t) => {
  const pools = Object.fromEntries(
    await Promise.all(
      ['sockets', 'reads', 'beta', 'rest'].map(async (id) => [
        id,
        { backends: await namedBackends(t, id), health: false },
      ]),
    ),
  ) as NonNullable<Config['pools']>
  const { url, next } = await startBalancer(t, {
    listen,
    pools,
    routes: [
      { header: { 'X-Version': ['beta', 'canary'] }, pool: 'beta', name: 'testers' },
      { header: { Upgrade: 'websocket' }, pool: 'sockets' },
      { method: ['get', 'HEAD'], path: '/x', pool: 'reads' },
      { pool: 'rest' },
    ],
  })
  t.equal(await greetingOf(`${url}/x`), 'sockets')
  t.equal((await ask(`${url}/x`)).body, 'reads')
  t.equal((await ask(`${url}/x`, { method: 'POST' })).body, 'rest')
  t.equal((await ask(url, { headers: { 'x-version': 'canary' } })).body, 'beta')
  const opened = next('tunnel:open')
  t.equal(await greetingOf(url, { 'x-version': 'beta' }), 'beta')
  t.equal((await opened).route, 'testers')
})

t.test('a path that servers read in different ways gets 400 where that matters', async (t) => {
  const [open, secret] = await namedBackends(t, 'open', 'secret')
  const { port } = await startBalancer(t, {
    listen,
    pools: { open: { backends: [open!], health: false }, secret: { backends: [secret!], health: false } },
    routes: [{ path: '/admin/*', pool: 'secret' }, { pool: 'open' }],
  })
  for (const [path, status] of [
    ['/x/..%2fadmin/', 400],
    ['//admin', 400],
    ['//x/admin', 400],
    ['/\\x/admin', 400],
    ['/%61dmin', 200],
    ['/a%2Fb', 200],
  ] as const) {
    const client = await rawClient(t, port)
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
    await client.closed
    t.match(client.received, `HTTP/1.1 ${status} `, path)
  }
})

const pools = { p: { backends: ['http://127.0.0.1:1'] } }
const specOf = (...routes: unknown[]) => resolveConfig({ pools, routes }).routes

t.test('what is wrong with routes is told with its place', async (t) => {
  const cases: [routes: unknown[], path: string, message: RegExp][] = [
    [[{ pool: 'p' }, { path: '/a', pool: 'p' }], 'routes[1]', /never match: routes\[0\]/],
    [
      [
        { path: '/*', header: {}, pool: 'p' },
        { path: '/a', pool: 'p' },
      ],
      'routes[1]',
      /never match/,
    ],
    [
      [
        { path: '/a', pool: 'p' },
        { path: '/%61', pool: 'p' },
      ],
      'routes[1]',
      /same as routes\[0\]/,
    ],
    [
      [
        { host: 'A.test.', method: ['get', 'HEAD'], pool: 'p' },
        { host: 'a.test', method: ['HEAD', 'GET'], pool: 'p' },
      ],
      'routes[1]',
      /same/,
    ],
    [
      [
        { header: { 'X-A': /a/, b: true }, pool: 'p' },
        { header: { B: true, 'x-a': /a/ }, pool: 'p' },
      ],
      'routes[1]',
      /same/,
    ],
    [
      [
        { name: '/b', path: '/a', pool: 'p' },
        { path: '/b', pool: 'p' },
      ],
      'routes[1].name',
      /like routes\[0\]/,
    ],
    [[{ method: 'DELTE', pool: 'p' }], 'routes[0].method', /did you mean "DELETE"/],
    [[{ method: [], pool: 'p' }], 'routes[0].method', /expected an HTTP method/],
    [[{ method: ['GET', 1], pool: 'p' }], 'routes[0].method[1]', /got 1/],
    [[{ header: { 'x a': true }, pool: 'p' }], 'routes[0].header["x a"]', /no header name/],
    [[{ header: { A: true, a: true }, pool: 'p' }], 'routes[0].header.a', /given twice/],
    [[{ header: { a: 1 }, pool: 'p' }], 'routes[0].header.a', /got 1; expected a value/],
    [[{ header: { a: [] }, pool: 'p' }], 'routes[0].header.a', /an empty list/],
    [[{ header: 'x', pool: 'p' }], 'routes[0].header', /an object of conditions/],
    [[{ path: '/a//b', pool: 'p' }], 'routes[0].path', /read alike/],
    [[{ path: '/a/../b', pool: 'p' }], 'routes[0].path', /read alike/],
    [[{ path: '/a%2fb', pool: 'p' }], 'routes[0].path', /read alike/],
    [[{ host: '*.1.2.3.4', pool: 'p' }], 'routes[0].host', /host name/],
    [[{ hooks: { select: true }, pool: 'p' }], 'routes[0].hooks.select', /a function, or false/],
  ]
  for (const [routes, path, message] of cases) {
    try {
      specOf(...routes)
      t.fail(`accepted: ${path} ${String(message)}`)
    } catch (error) {
      t.match((error as { problems?: unknown }).problems, [{ path, message }], path)
    }
  }
})

t.test('a name says what the route asks for', async (t) => {
  const nameOf = (route: Omit<RouteConfig, 'pool'>) => specOf({ ...route, pool: 'p' })[0]!.name
  t.equal(nameOf({}), '*')
  t.equal(nameOf({ host: '*.Example.com', path: '/chat/*' }), '*.example.com/chat/*')
  t.equal(nameOf({ method: 'get', header: { A: 'x', b: false, c: /d/i } }), 'GET a=x !b c~/d/i')
  t.equal(nameOf({ name: 'chat', path: '/' }), 'chat')
  t.equal(nameOf({ path: '/café' }), '/caf%C3%A9')
  t.equal(specOf({ host: '0:0::1', pool: 'p' })[0]!.host, '[::1]')
})

t.test('a pattern that remembers where it was matches every time', async (t) => {
  const [[, pattern]] = specOf({ header: { a: /b/gy }, pool: 'p' })[0]!.header as [[string, RegExp]]
  t.equal(pattern.flags, '')
})

t.test('plan tells of every condition that has changed, and of a hook', async (t) => {
  const config = (route: object, more: object = {}): Config => ({
    pools,
    routes: [{ pool: 'p', ...route }],
    ...more,
  })
  const balancer = createBalancer(config({ header: { a: /b/ } }))
  t.teardown(() => balancer.close())
  const changed = async (next: Config) => (await balancer.plan(next)).options
  t.strictSame(await changed(config({ header: { a: /b/ } })), [])
  for (const route of [
    { header: { a: /c/ } },
    { header: { a: /b/ }, method: 'GET' },
    { header: { a: /b/ }, name: 'x' },
  ])
    t.strictSame(await changed(config(route)), ['routes'])
  t.strictSame(await changed(config({ header: { a: /b/ } }, { hooks: { select() {} } })), ['hooks'])
  t.strictSame(await changed(config({ header: { a: /b/ }, hooks: { select() {} } })), ['hooks'])
})
