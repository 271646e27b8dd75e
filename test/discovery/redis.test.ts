import t, { type Test } from 'tap'
import { createClient } from 'redis'
import { type RedisServer } from '../../examples/support/redis-server.ts'
import { redis, type RedisOptions } from '../../lib/discovery/redis.ts'
import { redisConnection } from '../../lib/discovery/redis-client.ts'
import { heartbeat, leave } from '../../lib/discovery/redis-registry.ts'
import { registerBackend, type RegisterOptions } from '../../lib/register.ts'
import { fed, sourceContract, urlOf } from '../contract/source.ts'
import { FastClock } from '../support/clock.ts'
import { startRedis } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

const KEY = 'wslb:backends'
const FOR_EVER = 3_600_000

/** A client for the test itself. */
async function connected(t: Test, server: RedisServer) {
  const client = createClient({ url: server.url, socket: { reconnectStrategy: 20 } })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.destroy())
  return client
}

t.test('the contract', async () =>
  sourceContract(async (t) => {
    const server = await startRedis(t)
    const client = await connected(t, server)
    const registered = new Set<string>()
    let isDown = false
    const set = async (ports: readonly number[]) => {
      if (isDown) await server.start()
      isDown = false
      for (const port of ports) {
        await heartbeat(client, KEY, String(port), { url: urlOf(port) }, FOR_EVER)
        registered.add(String(port))
      }
      for (const id of [...registered]) {
        if (ports.includes(Number(id))) continue
        await leave(client, KEY, id)
        registered.delete(id)
      }
    }
    await set([1, 2])
    let open = 0
    const count = async () => {
      open = isDown ? 0 : (await server.connections()) - 1
    }
    const counting = setInterval(() => void count().catch(() => {}), 50)
    t.teardown(() => clearInterval(counting))
    return {
      source: redis({ url: server.url, every: '1s', timeout: '20s' }),
      set,
      fail: async () => {
        isDown = true
        await server.kill()
      },
      empty: () => set([]),
      spoil: async () => {
        await heartbeat(client, KEY, '9', { url: 'nowhere' }, FOR_EVER)
        // Sorted by id, of which these have none: it stands behind the first.
        await leave(client, KEY, '2')
        await heartbeat(client, KEY, '2', { url: urlOf(2) }, FOR_EVER)
        registered.add('9')
      },
      open: () => open,
    }
  }),
)

/** A balancer's side and the application's, on one Redis. Time runs twenty times as fast, but not in Redis. */
async function both(t: Test, options: Partial<RedisOptions> = {}) {
  const server = await startRedis(t)
  const clock = new FastClock(20)
  const result = fed(t, redis({ url: server.url, every: '2s', timeout: '10s', ...options }), clock)
  const warnings: string[] = []
  const register = (port: number, more: Partial<RegisterOptions> = {}) => {
    const registration = registerBackend({
      redis: server.url,
      url: urlOf(port),
      clock,
      every: '2s',
      ttl: '5s',
      onError: ({ message }) => warnings.push(message),
      ...more,
    })
    t.teardown(() => registration.unregister())
    return registration
  }
  return { server, register, warnings, ...result }
}

t.test('backends register and unregister themselves; it is seen at once', async (t) => {
  const { server, register, feed, has, members, clock, warnings } = await both(t, { every: '1h' })
  const first = register(1, { weight: 3, backup: true, id: 'one' })
  const second = register(2)
  feed.start()
  await has(1, 2)
  t.match(members().find(({ id }) => id === 'one')?.settings, { weight: 3, backup: true })
  t.ok(members().some(({ id }) => id === '127.0.0.1:2'))
  const third = register(3)
  await has(1, 2, 3)
  await second.unregister()
  await second.unregister()
  await has(1, 3)
  await first[Symbol.asyncDispose]()
  await third.unregister()
  feed.stop()
  await until(() => clock.pending === 0, 'the timers to be over')
  t.equal(await server.connections(), 0)
  t.same(await server.command('EXISTS', KEY), 0)
  t.same(warnings, [])
})

t.test(
  'who says nothing any more is gone after its ttl, by the time of Redis, without anybody telling',
  async (t) => {
    const { server, feed, has } = await both(t, { every: '1h' })
    const client = await connected(t, server)
    await heartbeat(client, KEY, 'a', { url: urlOf(1) }, FOR_EVER)
    await heartbeat(client, KEY, 'b', { url: urlOf(2) }, 300)
    feed.start()
    await has(1, 2)
    // Its expiry in the time of this test, which runs faster, comes early; then it is looked at again.
    await has(1)
    t.same(await server.command('HEXISTS', KEY, 'b'), 1)
    await heartbeat(client, KEY, 'a', { url: urlOf(1) }, FOR_EVER)
    t.same(await server.command('HEXISTS', KEY, 'b'), 0, 'the next sign of life sweeps')
  },
)

t.test(
  'Redis is killed and comes back empty: the last good list is kept, and everybody registers again',
  async (t) => {
    const { server, register, feed, has, ports, failed, failures, warnings } = await both(t)
    register(1)
    register(2)
    feed.start()
    await has(1, 2)
    await server.kill()
    await failed()
    t.same(ports(), [1, 2])
    await until(() => warnings.length === 2, 'the applications to be told')
    t.match(warnings[0], /^backend 127\.0\.0\.1:\d is not registered: /)
    await server.start()
    await until(() => feed.problem === null, 'the list to be back')
    await has(1, 2)
    t.equal(warnings.length, 2, 'told once')
    t.not(failures[0], '')
  },
)

t.test('Redis hangs: the last good list is kept, it is told, and it goes on', async (t) => {
  const { server, register, feed, has, ports, failed, failures, warnings } = await both(t)
  register(1)
  feed.start()
  await has(1)
  server.hang()
  await failed()
  t.match(failures[0], 'no answer within 10000 ms')
  await until(() => warnings.length === 1, 'the application to be told')
  t.same(ports(), [1])
  server.resume()
  register(2)
  await has(1, 2)
  t.equal(feed.problem, null)
})

t.test('unregister() while Redis hangs or is away does not last', async (t) => {
  const { server, register, feed, has, warnings } = await both(t)
  const [first, second] = [register(1), register(2)]
  feed.start()
  await has(1, 2)
  server.hang()
  await first.unregister()
  t.equal(warnings.length, 1)
  await server.kill()
  await second.unregister()
  t.equal(warnings.length, 2)
})

t.test('an aborted signal unregisters', async (t) => {
  const { register, feed, has } = await both(t)
  const controller = new AbortController()
  register(1)
  register(2, { signal: controller.signal })
  feed.start()
  await has(1, 2)
  controller.abort()
  await has(1)
})

t.test('clients of your own will do, on either side', async (t) => {
  const server = await startRedis(t)
  const client = await connected(t, server)
  const { feed, has } = fed(t, redis({ client, key: 'mine', every: '1s' }))
  const registration = registerBackend({ redis: client, url: urlOf(7), key: 'mine' })
  feed.start()
  await has(7)
  await registration.unregister()
  t.ok(client.isOpen)
  feed.stop()
})

t.test('a key that holds something else is told', async (t) => {
  const { server, feed, failed, failures } = await both(t)
  await server.command('SET', KEY, 'something else')
  feed.start()
  await failed()
  t.match(failures[0], /WRONGTYPE/)
  // In one step: between two it would be empty.
  await server.command('HSET', 'other', 'a', '99999999999999 {not json', 'b', 'nonsense')
  await server.command('RENAME', 'other', KEY)
  await failed(2)
  t.match(failures[1], /JSON/)
})

t.test('options that are none are refused', async (t) => {
  t.throws(() => redis({}), { code: 'WSLB_CONFIG_INVALID', message: /either url or client/ })
  t.throws(() => redis({ url: 'redis://x', every: 0 }), { message: /^every/ })
  t.throws(() => registerBackend({ redis: 'redis://x', url: 'nowhere' }), { message: /^url: got nowhere/ })
  for (const id of ['', 'a\nb', '\u001b[2J', 'x'.repeat(256)])
    t.throws(() => registerBackend({ redis: 'redis://x', url: urlOf(1), id }), {
      message: /^id: expected a string of 1 to 255 printable/,
    })
  t.throws(() => registerBackend({ redis: 'redis://x', url: urlOf(1), ttl: '5s' }), { message: /^ttl: / })
  await t.rejects(redisConnection('http://127.0.0.1'), /protocol/i)
})
