import t from 'tap'
import { type Backend } from '../../lib/core/backend.ts'
import { type IncomingRequest } from '../../lib/core/request.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'

/** Three backends, of which the first two have more than their share; whoever belongs to nobody comes to `a`. */
function start(sticky: readonly StickyStrategy[]) {
  const clock = new ManualClock()
  const pool = poolOf({ a: {}, b: {}, c: {} }, { sticky }, clock)
  const [a, b, c] = [...pool.backends.values()] as [Backend, Backend, Backend]
  a.tunnels = b.tunnels = 45
  const home = (request: IncomingRequest, tried?: ReadonlySet<Backend>) => {
    const lease = pool.acquire(request, tried)
    lease.release()
    return lease.backend.id
  }
  return { clock, pool, a, b, c, home }
}

const cookie = stickyCookie()
const upgrade = { connection: 'Upgrade', upgrade: 'websocket' }
const webSocket = (url = '/', headers = {}) => plainRequest({ url, headers: { ...upgrade, ...headers } })
const http = (url: string, method = 'GET', headers = {}) => plainRequest({ url, method, headers })

/** The cookie header of a client of this backend. */
function tiedTo(backend: Backend): { cookie: string } {
  return { cookie: cookie.remember!(plainRequest(), backend)[0]!.split(';')[0]! }
}

t.test(
  'one client for each tunnel that was given away goes below the share, and is tied there',
  async (t) => {
    const { pool, a, b, c, home } = start([cookie])
    const client = webSocket('/', tiedTo(a))
    t.equal(home(client), 'a', 'nobody is steered without need')
    pool.steering.expect(a)
    pool.steering.expect(a)
    t.equal(pool.steering.away, 2)
    t.equal(home(webSocket('/', tiedTo(b))), 'b', 'clients of others stay')
    const lease = pool.acquire(client)
    t.equal(lease.backend, c)
    t.equal(lease.setCookies[0]!.split(';')[0], tiedTo(c).cookie)
    lease.release()
    t.equal(pool.steering.away, 1)
    t.equal(home(webSocket('/', tiedTo(c))), 'c', 'who is there already uses nothing up')
    t.equal(home(client), 'c')
    t.equal(home(client), 'a', 'the third one belongs where it was')
    t.equal(pool.steering.away, 0)
  },
)

t.test('while somebody is expected, who stays where it is costs no look at the others', async (t) => {
  let found = 0
  const counting: StickyStrategy = { ...cookie, find: (...asked) => (found++, cookie.find(...asked)) }
  const { clock, pool, a, b, c } = start([counting])
  for (const backend of [a, b, c]) backend.settings = { ...backend.settings, maxHandshakesPerSecond: 100 }
  let reads = 0
  clock.now = () => (reads++, 0)
  const cost = (request: IncomingRequest) => {
    found = reads = 0
    pool.acquire(request, undefined, 1_000).release()
    return { found, reads }
  }
  const alone = cost(webSocket('/', tiedTo(a)))
  t.equal(alone.found, 1)
  pool.steering.expect(a)
  t.same(cost(webSocket('/socket.io/?EIO=4&transport=websocket&sid=abc', tiedTo(a))), alone)
  t.equal(cost(webSocket('/', tiedTo(a))).found, 1, 'nor is the owner of who may be moved looked for twice')
})

t.test('whoever belongs to nobody can stand for any of them', async (t) => {
  const { pool, b, home } = start([])
  pool.steering.expect(b)
  t.equal(home(webSocket()), 'c', 'though the policy chose a')
  t.equal(home(webSocket()), 'a')
})

t.test('only what opens a session is steered', async (t) => {
  const { pool, a, home } = start([cookie])
  const tied = tiedTo(a)
  pool.steering.expect(a)
  const kept = [
    http('/', 'GET', tied),
    http('/socket.io/?EIO=4&transport=polling&sid=abc', 'GET', tied),
    http('/socket.io/?EIO=4&transport=polling', 'OPTIONS', tied),
    webSocket('/socket.io/?EIO=4&transport=websocket&sid=abc', tied),
  ]
  t.same(
    kept.map((request) => home(request)),
    ['a', 'a', 'a', 'a'],
  )
  t.equal(home(http('/socket.io/?EIO=4&transport=polling', 'GET', tied)), 'c')
  pool.steering.expect(a)
  t.equal(home(webSocket('/?sid=mine', tied)), 'c', 'a sid that is not Engine.IO means nothing to us')
})

t.test('a client that could not be found again where it would go is not moved', async (t) => {
  const byPath: StickyStrategy = {
    name: 'by-path',
    find: ({ path }, backends) => backends.get(path.slice(1)),
  }
  const { pool, a, home } = start([byPath])
  pool.steering.expect(a)
  t.equal(home(webSocket('/a')), 'a')
  t.equal(home(webSocket('/else')), 'c')
})

t.test('after half a minute nobody is expected any more', async (t) => {
  const { clock, pool, a, home } = start([cookie])
  pool.steering.expect(a)
  await clock.advance(20_000)
  pool.steering.expect(a)
  await clock.advance(10_000)
  t.equal(pool.steering.away, 1)
  await clock.advance(20_000)
  t.equal(home(webSocket('/', tiedTo(a))), 'a')
  t.equal(pool.steering.away, 0)
  t.equal(clock.pending, 0, 'and no timer was needed for it')
})

t.test('nobody is sent to who has enough, is full, or cannot be used', async (t) => {
  const { clock, pool, a, b, c, home } = start([cookie])
  const { settings } = c
  const client = webSocket('/', tiedTo(a))
  for (let i = 0; i < 4; i++) pool.steering.expect(a)
  c.tunnels = 45
  t.equal(home(client), 'a', 'c has its share')
  c.tunnels = 0
  c.settings = { ...settings, maxConnections: 0 }
  pool.setAdminState(c, 'active')
  t.equal(home(client), 'a', 'c is full')
  c.settings = settings
  pool.setAdminState(c, 'draining')
  t.equal(home(client), 'a', 'c is drained; b has its share')
  pool.setAdminState(c, 'active')
  c.settings = { ...settings, maxHandshakesPerSecond: 1 }
  while (c.handshakes.wait(clock.now()) === 0) c.handshakes.take(clock.now())
  t.equal(pool.acquire(client, undefined, 0).backend.id, 'a', 'c has had enough handshakes for now')
  c.settings = settings
  t.equal(home(client, new Set([b])), 'a', 'a second try goes where it would have gone')
  t.equal(pool.steering.away, 4)
  b.tunnels = 10
  b.load = 40
  t.equal(home(client), 'c', 'of two the less loaded')
  b.tunnels = 1
  c.tunnels = 30
  t.equal(home(client), 'b', 'but not one that has its share')
})
