import t, { type Test } from 'tap'
import { type RedisServer } from '../../../examples/support/redis-server.ts'
import { createRelay, type GapEvent, type Relay, type SubscribeOptions } from '../../../lib/relay/index.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'

const skip = withoutRedis

function relayOf(t: Test, server: RedisServer, access: { username?: string; password?: string } = {}): Relay {
  const relay = createRelay({ redis: { url: server.url, ...access } })
  t.teardown(() => relay.close())
  return relay
}

/** What a subscriber gets: data, or the reason of a gap. */
async function follow(relay: Relay, channel: string, from: SubscribeOptions['from'] = 'now') {
  const got: unknown[] = []
  const onGap = ({ from, to, reason }: GapEvent) => got.push([reason, from, to])
  await relay.subscribe(channel, ({ data }) => got.push(data), { from, onGap }).ready
  return got
}

t.test('a user that may not push appends nothing; once it may, all hear of it', { skip }, async (t) => {
  const server = await startRedis(t)
  await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '+@all', 'resetchannels')
  const [all, app] = [relayOf(t, server), relayOf(t, server, { username: 'app', password: 'pw' })]
  const got = await follow(all, 'room')
  const sent = app.publish('room', 'one', { id: 'k' })
  await until(() => app.status().state === 'refused', 'the refusal')
  t.match(app.status().trouble, /^NOPERM .*w:\{room\}/)
  t.same(await follow(all, 'room', 'start'), [])
  await server.command('ACL', 'SETUSER', 'app', '&w:*')
  t.match(await sent, { duplicate: false, nodes: 1 })
  await until(() => got.length > 0, 'the message')
  await all.publish('room', 'two')
  await until(() => got.length > 1, 'the next one')
  t.same(got, ['one', 'two'])
  t.equal(app.status().state, 'ready')
})

t.test('what others append to a log neither stops it nor is delivered', { skip }, async (t) => {
  const server = await startRedis(t)
  const [relay, other] = [relayOf(t, server), relayOf(t, server)]
  const append = (id: string, ...fields: string[]) => server.command('XADD', 'w:{room}:l', id, ...fields)
  const got = await follow(relay, 'room')
  const { epoch } = await other.publish('room', 1)
  for (const id of ['1-1', '2-0', '2-1', '*']) await append(id, 'only', 'one')
  t.same(await follow(relay, 'room', 'start'), [1])
  t.match(await other.publish('room', 2), { offset: 2, duplicate: false })
  await append('2-5', 'i', 'x:1', 'd', '\n"stranger"')
  for (let n = 3; n <= 50; n++) await other.publish('room', n)
  const whole = Array.from({ length: 50 }, (_, index) => index + 1)
  await until(() => got.length >= 50, 'all of them')
  t.same([got, await follow(relay, 'room', 'start')], [whole, whole])
  // Nothing of it is there any more but the number of the last one.
  await append('99-0', 'only', 'one')
  await server.command('XDEL', 'w:{room}:l', '99-0')
  t.match(await other.publish('room', 51), { offset: 51, epoch })
})

t.test('of a log that others have filled up, the rest is a gap', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = relayOf(t, server)
  const { epoch } = await relay.publish('room', 1)
  for (const n of [2, 3]) await relay.publish('room', n)
  await server.command('EVAL', "for i = 1, 2000 do redis.call('XADD', 'w:{room}:l', '*', 'i', 'x') end", '0')
  await relay.publish('room', 4)
  const got = await follow(relay, 'room', { epoch, offset: 1 })
  await until(() => got.length >= 2, 'the gap and the message')
  t.same(got, [['expired', 2, 3], 4])
})

t.test('what others delete from a log is a gap', { skip }, async (t) => {
  const server = await startRedis(t)
  const relay = relayOf(t, server)
  const { epoch } = await relay.publish('room', 1)
  for (let n = 2; n <= 9; n++) await relay.publish('room', n)
  for (const id of [2, 3, 5, 8, 9]) await server.command('XDEL', 'w:{room}:l', `${id}-0`)
  const got = await follow(relay, 'room', { epoch, offset: 1 })
  const whole = [['trimmed', 2, 3], 4, ['trimmed', 5, 5], 6, 7, ['trimmed', 8, 9]]
  await until(() => got.length >= whole.length, 'the end')
  await relay.publish('room', 10)
  await until(() => got.length > whole.length, 'the next one')
  t.same(got, [...whole, 10])
})

t.test('a message half of which was appended by a script that failed is not lost', { skip }, async (t) => {
  const server = await startRedis(t)
  const [relay, other] = [relayOf(t, server), relayOf(t, server)]
  const got = await follow(relay, 'room')
  await other.publish('room', 1)
  await server.command('XADD', 'w:{room}:l', '2-0', 'i', 'stranger:1', 'd', '\n"ghost"')
  // Somebody reads the log before anybody publishes.
  await follow(relay, 'room', 'start')
  await Promise.all([2, 3].map((n) => other.publish('room', n)))
  await until(() => got.length >= 3, 'all of them')
  t.same(got, [1, 2, 3])
})

t.test('a forged push does not silence a publisher', { skip }, async (t) => {
  const server = await startRedis(t)
  const [relay, other] = [relayOf(t, server), relayOf(t, server)]
  const got = await follow(relay, 'room')
  const [pid] = (await other.publish('room', 1)).id.split(':')
  for (const place of ['0|9', '0|1e300', '2|1e300', '1e300|2', '2.5|2', '-1|2', '0x2|1e99', '|'])
    await server.command('PUBLISH', 'w:{room}', `x|${pid}|${place}|2|t\n`)
  for (const n of [2, 3]) await other.publish('room', n)
  await until(() => got.length >= 3, 'all of them')
  t.same(got, [1, 2, 3])
})
