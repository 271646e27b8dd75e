import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type RedisServer } from '../../../examples/support/redis-server.ts'
import { systemClock } from '../../../lib/core/clock.ts'
import { createRelay } from '../../../lib/relay/index.ts'
import { type Connection, type ConnectionFactory } from '../../../lib/relay/redis/connection.ts'
import { dial } from '../../../lib/relay/redis/dial.ts'
import { Keys } from '../../../lib/relay/redis/keys.ts'
import { connectNodeRedis } from '../../../lib/relay/redis/node-redis-connection.ts'
import { RedisSession, type RedisSessionOptions } from '../../../lib/relay/redis/redis-session.ts'
import { type RedisTarget } from '../../../lib/relay/redis/redis-target.ts'
import { redisTransport } from '../../../lib/relay/redis/redis-transport.ts'
import { resolveTarget, type SingleTarget } from '../../../lib/relay/redis/resolve-target.ts'
import { script } from '../../../lib/relay/session/evaluator.ts'
import { appended, batch, bodies, LASTING } from '../../contract/session.ts'
import { aclLines } from '../../support/acl-lines.ts'
import { makeCertificate } from '../../support/certificate.ts'
import { freePort } from '../../support/free-port.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'
import { Witness } from '../../support/witness.ts'

const skip = withoutRedis
const options = { prefix: 'w', lease: undefined, clock: systemClock, random: Math.random }
const over = { code: 'WSLB_RELAY_AWAY' }

function witness(t: Test, target: RedisTarget): Witness {
  return new Witness(t, redisTransport(target, options))
}

/** A session that nobody but the test begins and ends. */
async function session(t: Test, server: RedisServer, more: Partial<RedisSessionOptions> = {}) {
  const { access, address } = resolveTarget({ url: server.url }) as SingleTarget
  const pair = await dial(access, address, { clock: systemClock, signal: new AbortController().signal })
  const events = { begun: () => {}, pushed: () => {}, trouble: () => {} }
  const session = new RedisSession(pair, {
    term: 3,
    fenced: true,
    address: 'here',
    keys: new Keys('w', 0),
    clock: systemClock,
    events,
    leaseLeft: () => Infinity,
    ...more,
  })
  t.teardown(() => session.end('the test has ended'))
  return session
}

t.test('Redis is killed: what is under way rejects, and another session begins', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const first = await relay.session()
  server.hang()
  const underWay: Promise<unknown>[] = [
    first.append('room', batch('a', 1, 1), LASTING),
    first.listen('room'),
    first.confirm(1),
  ]
  const rejected = Promise.all(underWay.map((promise) => t.rejects(promise, over)))
  await server.kill()
  await rejected
  t.ok(first.signal.aborted)
  await relay.suffers(/ECONNREFUSED/)
  await server.start()
  const second = await relay.session(2)
  await relay.suffers(/^well$/)
  t.not(second.epoch, first.epoch)
  t.same(await appended(second, 'room', batch('a', 1, 1)), [1])
})

t.test('what did not survive a restart is taken back', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const first = await relay.session()
  await appended(first, 'room', batch('a', 1, 3))
  await server.command('SAVE')
  await appended(first, 'room', batch('a', 4, 6))
  const before = await first.read('room', 'now', 1)
  await server.kill()
  await server.start('all')
  const second = await relay.session(2)
  t.same(await appended(second, 'room', batch('a', 6, 6)), { status: 'hole', last: 3 })
  t.same(await appended(second, 'room', batch('a', 2, 5)), [-2, -3, 4, 5])
  const slice = await second.read('room', [{ epoch: before.epoch, offset: 6 }], 10)
  t.match(slice, { top: 5, after: 3, gap: undefined, entries: [{ seq: 4 }, { seq: 5 }] })
  t.same(slice.chain, [
    { epoch: before.epoch, offset: 0 },
    { epoch: slice.epoch, offset: 3 },
  ])
  const early = await second.read('room', [{ epoch: before.epoch, offset: 2 }], 1)
  t.match(early, { after: 2, gap: undefined, entries: [{ offset: 3, seq: 3 }] })

  await server.kill()
  await server.start('nothing')
  const third = await relay.session(3)
  await appended(third, 'room', batch('a', 6, 6, { floor: 6 }))
  const empty = await third.read(
    'room',
    [
      { epoch: slice.epoch, offset: 5 },
      { epoch: before.epoch, offset: 3 },
    ],
    9,
  )
  t.match(empty, {
    after: 0,
    gap: { from: 0, to: 0, reason: 'unknown-epoch' },
    entries: [{ offset: 1, seq: 6 }],
  })
})

t.test('of many epochs the last ones are known', { skip }, async (t) => {
  const server = await startRedis(t)
  const marks: { epoch: string; offset: number }[] = []
  for (let term = 1; term <= 20; term++) {
    const one = await session(t, server, { term })
    await appended(one, 'room', batch('a', term, term))
    marks.push({ epoch: (await one.read('room', 'now', 1)).epoch, offset: term })
    one.end('the next one')
  }
  const last = await session(t, server, { term: 20 })
  const { chain } = await last.read('room', 'now', 1)
  t.equal(chain.length, 16)
  t.same(chain.at(-1), { epoch: marks.at(-1)!.epoch, offset: 19 })
  const known = await last.read('room', [{ ...marks[9]!, offset: 99 }], 1)
  t.match(known, { after: 10, gap: undefined }, 'back to where the next one began')
  t.match(await last.read('room', [marks[0]!], 1), { gap: { reason: 'unknown-epoch' } })
})

t.test('a log that is flushed begins again, in another epoch', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const one = await relay.session()
  await one.listen('room')
  await appended(one, 'room', batch('a', 1, 2))
  await server.command('FLUSHALL')
  t.same(await appended(one, 'room', batch('a', 3, 3)), { status: 'hole', last: 0 })
  t.same(await appended(one, 'room', batch('a', 1, 3)), [1, 2, 3])
  const [old, , fresh] = await relay.heard(3)
  t.not(fresh!.epoch, old!.epoch)
  t.match(await one.read('room', [{ epoch: old!.epoch, offset: 2 }], 9), { gap: { reason: 'unknown-epoch' } })
})

t.test('a Redis that hangs is left', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const first = await relay.session()
  server.hang()
  const begun = performance.now()
  await t.rejects(first.append('room', batch('a', 1, 1), LASTING), {
    message: /has not answered for 1500 ms/,
  })
  t.ok(performance.now() - begun < 4_000)
  await relay.suffers(/no answer within/)
  server.resume()
  await relay.session(2, 20_000)
})

t.test('one of the two connections goes dead: both are left, and nothing is missed', { skip }, async (t) => {
  const server = await startRedis(t)
  let [data, cut]: [Connection | undefined, boolean] = [undefined, false]
  const isDead = (connection: Connection) => cut && connection === data
  const connect: ConnectionFactory = async (options) => {
    const connection = await connectNodeRedis(options)
    const passes = <T>(answer: Promise<T>) => (isDead(connection) ? new Promise<T>(() => {}) : answer)
    return {
      signal: connection.signal,
      command: (args) => {
        if (args[0] === 'EVALSHA') data ??= connection
        return passes(connection.command(args))
      },
      subscribe: (channel, listener) =>
        passes(connection.subscribe(channel, (message) => isDead(connection) || listener(message))),
      unsubscribe: (channel) => passes(connection.unsubscribe(channel)),
      destroy: () => connection.destroy(),
    }
  }
  const relay = createRelay({ redis: { url: server.url, connect } })
  const other = createRelay({ redis: { url: server.url } })
  t.teardown(() => Promise.all([relay.close(), other.close()]))
  const got: unknown[] = []
  await relay.subscribe('room', ({ data }) => got.push(data)).ready
  await other.publish('room', 1)
  await until(() => got.length === 1, 'the first message')
  cut = true
  await other.publish('room', 2)
  await until(() => got.length === 2, 'what the dead connection did not bring')
  t.same(got, [1, 2])
})

t.test('who closes while Redis hangs does not wait for it', { skip }, async (t) => {
  const server = await startRedis(t)
  server.hang()
  const relay = witness(t, { url: server.url })
  await new Promise((resolve) => setTimeout(resolve, 50))
  const begun = performance.now()
  await relay.transport.close()
  t.ok(performance.now() - begun < 1_000)
  server.resume()
  await until(() => relay.sessions.length === 0, 'no session')
})

t.test('nothing is left at the end', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  await relay.session()
  t.equal(await server.connections(), 2)
  await relay.transport.close()
  let left = 2
  for (const end = performance.now() + 5_000; left > 0 && performance.now() < end;)
    left = await server.connections()
  t.equal(left, 0)
})

t.test('a master that becomes a replica ends the session', { skip }, async (t) => {
  const [server, other] = [await startRedis(t), await startRedis(t)]
  const relay = witness(t, { url: server.url })
  const first = await relay.session()
  await server.command('REPLICAOF', '127.0.0.1', String(other.port))
  await until(() => first.signal.aborted, 'the end')
  await relay.suffers(/is no master: slave/)
  await server.command('REPLICAOF', 'NO', 'ONE')
  await relay.session(2)
})

t.test('what any write is refused for is told once, until it is over', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const one = await relay.session()
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
  for (const seq of [1, 2]) {
    const refused = { code: 'WSLB_RELAY_REFUSED', reason: 'NOREPLICAS' }
    await t.rejects(one.append('room', batch('a', seq, seq), LASTING), refused)
  }
  await t.rejects(one.confirm(1), { code: 'WSLB_RELAY_REFUSED' }, 'an older marker would count')
  t.match(relay.troubles, [/^NOREPLICAS/])
  t.notMatch(relay.troubles[0], /script/)
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0')
  await relay.suffers(/^well$/)
  t.same(await appended(one, 'room', batch('a', 1, 1)), [1])
  t.equal(await one.confirm(1), 0)
  t.equal(relay.sessions.length, 1)
  t.equal(relay.troubles.length, 2)
})

t.test('a channel that is refused is no trouble of the others', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = witness(t, { url: server.url })
  const one = await relay.session()
  await server.command('SET', 'w:{bad}:m', 'not a hash')
  await t.rejects(one.append('bad', batch('a', 1, 1), LASTING), { message: /^WRONGTYPE/ })
  await appended(one, 'good', batch('a', 1, 1))
  t.match(relay.troubles, [/^WRONGTYPE.*"bad"/])
  await server.command('DEL', 'w:{bad}:m')
  await appended(one, 'bad', batch('a', 1, 1))
  t.same(relay.troubles.slice(1), ['well'])
})

t.test('a channel that may not be listened to or read is told by its name', { skip }, async (t) => {
  const server = await startRedis(t)
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+@all', 'resetchannels', '&w:{good}')
  await server.command('SET', 'w:{good}:m', 'not a hash')
  const relay = createRelay({ redis: { url: server.url, username: 'app', password: 'pw' } })
  t.teardown(() => relay.close())
  await relay.ready()
  const trouble = (pattern: RegExp) =>
    until(() => pattern.test(relay.status().trouble ?? ''), `${pattern}, not ${relay.status().trouble}`)
  const broken = relay.subscribe('good', () => {})
  await trouble(/^WRONGTYPE.*"good"/)
  t.equal(relay.status().state, 'refused')
  await server.command('DEL', 'w:{good}:m')
  await broken.ready
  relay.subscribe('bad', () => {})
  await trouble(/^NOPERM.*"bad"/)
})

t.test('what nobody wants any more is no trouble', { skip }, async (t) => {
  const server = await startRedis(t)
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+@all', 'resetchannels')
  const relay = witness(t, { url: server.url, username: 'app', password: 'pw' })
  const one = await relay.session()
  await t.rejects(one.listen('bad'), { code: 'WSLB_RELAY_REFUSED' })
  await one.unlisten('bad')
  const late = t.rejects(one.listen('bad'), { code: 'WSLB_RELAY_REFUSED' })
  one.unlisten('bad').catch(() => {})
  await late
  t.match(relay.troubles, [/^NOPERM.*"bad"/, 'well'])
})

t.test('a log in a later term refuses an earlier one', { skip }, async (t) => {
  const server = await startRedis(t)
  const [late, early] = [await session(t, server, { term: 12 }), await session(t, server, { term: 9 })]
  await appended(late, 'room', batch('a', 1, 1))
  await t.rejects(early.append('room', batch('b', 1, 1), LASTING), { ...over, message: /FENCED/ })
  t.ok(early.signal.aborted)
  t.same(await bodies(late, 'room', 'start'), ['a1'])
  const escaped = await session(t, server, { term: 0, fenced: false })
  t.same(await appended(escaped, 'room', batch('b', 1, 1)), [2])
})

t.test('without a lease nothing is sent', { skip }, async (t) => {
  const server = await startRedis(t)
  let left = 1_000
  const one = await session(t, server, { leaseLeft: () => left })
  t.same(await appended(one, 'room', batch('a', 1, 1)), [1])
  left = 0
  await t.rejects(one.append('room', batch('a', 2, 2), LASTING), { ...over, message: /lease/ })
  t.ok(one.signal.aborted)
  t.equal(await server.command('HGET', 'w:{room}:m', 'o'), '1')
})

t.test('what is answered when the lease has run out counts for nothing', { skip }, async (t) => {
  const server = await startRedis(t)
  let left = 1_000
  const one = await session(t, server, { leaseLeft: () => left })
  const append = one.append('room', batch('a', 1, 1), LASTING)
  left = 0
  await t.rejects(append, { ...over, message: /lease/ })
})

t.test('scripts that the server has forgotten are given again', { skip }, async (t) => {
  const server = await startRedis(t)
  const one = await session(t, server)
  await appended(one, 'room', batch('a', 1, 1))
  await server.command('SCRIPT', 'FLUSH')
  t.same(await appended(one, 'room', batch('a', 2, 2)), [2])
  const answer = await one.eval(script('return {KEYS[1], ARGV[1], 7}'), ['k'], [Buffer.from([0, 255])])
  t.strictSame(answer, [Buffer.from('k'), Buffer.from([0, 255]), 7])
  await t.rejects(one.eval(script('return redis.error_reply("NO way")'), [], []), {
    code: 'WSLB_RELAY_REFUSED',
    message: 'NO way',
  })
})

t.test('a user that may do what is needed, and no more', { skip }, async (t) => {
  const server = await startRedis(t, {
    config: [`user relay on >secret ${aclLines[0]}`, 'user default on >admin ~* &* +@all'],
    auth: { password: 'admin' },
  })
  const relay = witness(t, { url: `redis://relay:secret@127.0.0.1:${server.port}/2` })
  const one = await relay.session()
  await one.listen('room')
  t.same(await appended(one, 'room', batch('a', 1, 2, { ids: ['x', 'y'] })), [1, 2])
  t.same(await appended(one, 'room', batch('a', 1, 2)), [-1, -2])
  t.same(await bodies(one, 'room', 'start'), ['a1', 'a2'])
  t.equal(await one.push('room', { pid: 'a', seq: 3, body: Buffer.from('') }), 1)
  t.equal(await one.confirm(1), 0)
  await one.registry.beat('node', one.epoch, 1_000)
  await one.registry.claim('client', 'node')
  await one.registry.enter('lobby', 'client', 'node', '{}')
  await one.registry.members('lobby')
  await one.registry.retire('node')
  await one.registry.sweep(10)
  await one.unlisten('room')
  t.same(relay.troubles, [])

  const other = witness(t, { url: `redis://relay:wrong@127.0.0.1:${server.port}` })
  await other.suffers(/WRONGPASS/)
  await witness(t, { url: server.url }).suffers(/NOAUTH|WRONGPASS|NOPERM/)
})

t.test('over TLS, with a certificate that must be known', { skip }, async (t) => {
  const { cert, key } = await makeCertificate()
  const folder = t.testdir()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  const tlsPort = await freePort()
  const config = [
    `tls-port ${tlsPort}`,
    `tls-cert-file ${certFile}`,
    `tls-key-file ${keyFile}`,
    `tls-ca-cert-file ${certFile}`,
  ]
  await startRedis(t, { config: [...config, 'tls-auth-clients no'] })
  const relay = witness(t, { url: `rediss://127.0.0.1:${tlsPort}`, tls: { ca: cert } })
  const one = await relay.session()
  await one.listen('room')
  t.same(await appended(one, 'room', batch('a', 1, 2)), [1, 2])
  await relay.heard(2)
  await witness(t, { url: `rediss://127.0.0.1:${tlsPort}` }).suffers(/self.signed/)
})

t.test('what is wrong with a target is said at once', async (t) => {
  const wrong = (target: object, message: RegExp) =>
    t.throws(() => redisTransport(target as RedisTarget, options), { code: 'WSLB_CONFIG_INVALID', message })
  wrong({}, /^redis: is either/)
  wrong({ url: 'redis://a', sentinels: [] }, /redis: is either/)
  wrong({ url: 'http://user:secret@host' }, /^redis\.url: "http:\/\/…@host" is not a url/)
  wrong({ url: 'redis://host/x' }, /redis\.url: \/x is not the number/)
  wrong({ url: 'redis://host', db: -1 }, /redis\.db/)
  wrong({ url: 'redis://host', username: 'me' }, /redis\.password: is missing/)
  wrong({ sentinels: [] }, /redis\.sentinels: is not a list/)
  wrong(
    { sentinels: [{ host: 'a' }, { host: 'b', port: 70_000 }] },
    /redis\.sentinels\[1\]\.port: 70000 is no port/,
  )
  wrong({ sentinels: [{ host: 'a' }, { host: 'a', port: 26379 }] }, /redis\.sentinels\[1\]: is the same as/)
  wrong({ sentinels: [{ host: '' }], name: '' }, /redis\.name.*\n?.*redis\.sentinels\[0\]\.host/)
  wrong({ sentinels: [{ host: 'a' }], sentinel: { username: 'x' } }, /redis\.sentinel\.password/)
})
