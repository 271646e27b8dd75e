import t from 'tap'
import {
  createRelay,
  type GapEvent,
  MemoryStore,
  type Relay,
  type RelaySocket,
} from '../../../lib/relay/index.ts'
import { type Scope } from '../../support/balancer.ts'
import { until } from '../../support/until.ts'
import { Client, socketServer } from './bench.ts'

function relays(t: Scope, count: number, options: Parameters<typeof createRelay>[0] = {}): Relay[] {
  const memory = new MemoryStore()
  const made = Array.from({ length: count }, (_, index) =>
    createRelay({ memory, nodeId: `node-${index}`, ...options }),
  )
  t.teardown(() => Promise.all(made.map((relay) => relay.close())))
  return made
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

t.test('a socket gets its channels, what is sent to its client, and says where it is', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const { url, attachments } = await socketServer(t, a)
  const client = await new Client(t, url).ready()
  await client.ready('@c:bob')
  await b.publish('room', { hello: 1 })
  await b.publish('room', 'text')
  await b.publish('room', Buffer.from([0, 255]))
  await b.publish('elsewhere', 'no')
  t.match(await b.sendTo('bob', 'you'), { nodes: 1, duplicate: false })
  await client.has(2)
  await client.has(1, '@c:bob')
  t.same(client.data(), [{ hello: 1 }, 'text'])
  t.equal(client.got.find(({ base64 }) => base64)?.base64, 'AP8=')
  t.same(client.data('@c:bob'), ['you'])
  t.match(await b.locate('bob'), { nodeId: 'node-0' })
  await until(() => attachments[0]!.token() === JSON.stringify({ '@c:bob': client.at['@c:bob'], room: client.at['room'] }), 'the token of what was written') // prettier-ignore
  attachments[0]!.unsubscribe('room')
  await b.publish('room', 'late')
  await b.sendTo('bob', 'last')
  await client.has(2, '@c:bob')
  t.equal(client.data().length, 2)
  await client.gone()
  await until(() => a.status().subscriptions === 1, 'nothing but the inbox of the node')
  let located: unknown = 1
  while (located) located = await b.locate('bob')
  t.equal((await b.sendTo('bob', 'lost')).nodes, 0)
})

t.test('a client goes on with its places on another node: nothing is lost or doubled', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const [first, second] = [await socketServer(t, a), await socketServer(t, b)]
  let client = await new Client(t, first.url).ready()
  const got: unknown[] = []
  let n = 0
  const nodes = [second, first]
  for (let turn = 0; turn < 6; turn++) {
    for (let message = 0; message < 20; message++) void (message % 2 ? a : b).publish('room', ++n)
    await client.has(turn % 2 ? 5 : 20)
    await client.gone()
    got.push(...client.data())
    await a.publish('room', ++n)
    await b.sendTo('bob', `away ${turn}`)
    client = new Client(t, nodes[turn % 2]!.url, { at: client.at })
    await client.has(1, '@c:bob')
    t.same(client.data('@c:bob'), [`away ${turn}`])
  }
  await until(() => got.length + client.data().length >= n, 'all of them')
  got.push(...client.data())
  t.same([...got].sort((x, y) => Number(x) - Number(y)), numbers(1, n)) // prettier-ignore
  t.same(client.gaps(), [])
})

t.test('a token that nobody can make sense of is none, and told', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const gaps: GapEvent[] = []
  const { url } = await socketServer(t, relay, { onGap: (gap) => gaps.push(gap) })
  await relay.publish('room', 'before')
  await relay.publish('secret', 'secret')
  const client = new Client(t, url, { at: { room: 'nonsense', secret: '0:x' } })
  await until(() => client.got.some(({ at, channel }) => at && channel === 'room'), 'the place')
  await relay.publish('room', 'after')
  await until(() => client.got.length >= 4, 'the message')
  t.same(gaps, [{ channel: 'room', from: 0, to: 0, reason: 'bad-token' }])
  t.same(client.got.filter(({ channel }) => channel === 'room').map(({ data, gap }) => data ?? gap?.reason), ['bad-token', undefined, 'after']) // prettier-ignore
  t.notOk(
    client.got.some(({ channel }) => channel === 'secret'),
    'a token subscribes to nothing',
  )
})

t.test('a place in a log that is another by now is told as a gap', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const { url } = await socketServer(t, relay)
  await relay.publish('room', 1)
  const client = new Client(t, url, { at: { room: '7:9xffffffffffff' } })
  await client.has(1)
  t.match(client.gaps(), [{ channel: 'room', gap: { reason: 'unknown-epoch' } }])
  t.same(client.data(), [1])
})

t.test('the newest connection of a client is the one; the old one is told, on whatever node', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const [first, second] = [await socketServer(t, a), await socketServer(t, b)]
  const one = await new Client(t, first.url).ready()
  await until(() => a.status().subscriptions === 3, 'the inbox')
  while (!(await b.locate('bob'))) await one.ready()
  const two = await new Client(t, second.url).ready()
  t.same(await one.closed, { code: 4409, reason: 'replaced' })
  t.match(await a.locate('bob'), { nodeId: 'node-1' })
  const three = await new Client(t, second.url).ready()
  t.same(await two.closed, { code: 4409, reason: 'replaced' })
  await b.sendTo('bob', 'you')
  await three.has(1, '@c:bob')
  t.match(await a.locate('bob'), { nodeId: 'node-1' }, 'the late close of the old one has erased nothing')
})

t.test('an application may let both live', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const replaced: unknown[] = []
  const first = await socketServer(t, a, { onReplaced: ({ nodeId }) => replaced.push(nodeId) })
  const second = await socketServer(t, b)
  const one = await new Client(t, first.url).ready()
  while (!(await b.locate('bob'))) await one.ready()
  const two = await new Client(t, second.url).ready()
  await until(() => replaced.length === 1, 'the word')
  t.same(replaced, ['node-1'])
  t.equal((await a.sendTo('bob', 'both')).nodes, 2)
  await Promise.all([one.has(1, '@c:bob'), two.has(1, '@c:bob')])
})

t.test('rooms of a socket are left with it, unless a newer one has joined', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const { url, attachments } = await socketServer(t, relay, { onReplaced: () => {} })
  const room = relay.presence('room')
  const list = async () => (await room.list()).map(({ clientId, info }) => [clientId, info])
  const one = await new Client(t, url).ready()
  await attachments[0]!.join('room', 1)
  t.same(await list(), [['bob', 1]])
  const two = await new Client(t, url).ready()
  await attachments[1]!.join('room', 2)
  const events: string[] = []
  room.on('leave', ({ clientId }) => events.push(clientId))
  await room.ready
  await one.gone()
  await until(() => relay.status().subscriptions === 4, 'the old one to be released')
  t.same(await list(), [['bob', 2]])
  await two.gone()
  await until(() => events.length === 1, 'the leave')
  t.same(await list(), [])
})

t.test('frames of the application', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const { url } = await socketServer(t, relay, {
    encode: (frame) => JSON.stringify({ ...frame, mine: true }),
  })
  const client = await new Client(t, url).ready()
  await relay.publish('room', 1)
  await client.has(1)
  t.ok(client.got.every((frame) => 'mine' in frame))
})

t.test('a hostile socket hurts nobody else', async (t) => {
  const logged: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => logged.push(fields) }
  const [relay] = relays(t, 1, { log }) as [Relay]
  const { url } = await socketServer(t, relay)
  const client = await new Client(t, url).ready()
  const heard: (() => void)[] = []
  const socket = (parts: Partial<RelaySocket>): RelaySocket => ({
    bufferedAmount: 0,
    send: (_frame, written) => written(),
    close() {},
    on: (_event, listener) => heard.push(listener),
    ...parts,
  })
  const fail = () => {
    throw new Error('mine')
  }
  const bad = [
    socket({ send: fail, close: fail }),
    socket({ send: (_frame, written) => written(new Error('gone')) }),
    socket({ send: () => {}, bufferedAmount: Infinity }),
    socket({ send: () => heard.forEach((tell) => tell()) }),
  ]
  const attachments = bad.map((socket, index) =>
    relay.attach(socket, { clientId: `bad-${index}`, onGap: fail }),
  )
  attachments.push(relay.attach(socket({}), { clientId: 'bad', encode: fail, onGap: fail, resume: '{' }))
  for (const attachment of attachments) void attachment.subscribe('room')
  for (let n = 1; n <= 50; n++) await relay.publish('room', n)
  await client.has(50)
  t.same(client.data(), numbers(1, 50))
  t.ok(logged.length > 0)
  for (const attachment of attachments) {
    attachment.close()
    attachment.close()
    await attachment.subscribe('room')
  }
  await until(() => relay.status().subscriptions === 3, 'those of the good one')
})

t.test('a socket that stays open keeps nothing of its attachments, and may fail', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const { sockets, url } = await socketServer(t, relay)
  const client = await new Client(t, url).ready()
  const socket = sockets[0]!
  const listeners = () => ['close', 'error'].map((event) => socket.listenerCount(event))
  const before = listeners()
  for (let turn = 0; turn < 20; turn++) relay.attach(socket, { clientId: 'carol' }).close()
  const [close, error] = listeners() as [number, number]
  t.same([close, error - 1], before, 'one that takes errors')
  relay.attach(socket, { clientId: 'carol' })
  socket.emit('error', new Error('of the connection'))
  socket.emit('error', new Error('another one'))
  await client.gone()
})

t.test('what cannot be attached', async (t) => {
  const relay = createRelay()
  const socket: RelaySocket = { bufferedAmount: 0, send() {}, close() {}, on() {} }
  t.throws(() => relay.attach(socket, { clientId: '' }), { code: 'WSLB_CONFIG_INVALID' })
  t.throws(() => relay.attach(socket, {} as never), { code: 'WSLB_CONFIG_INVALID' })
  const attachment = relay.attach(socket, { clientId: 'bob' })
  for (const name of ['@n:node', '', 5 as never])
    await t.rejects(attachment.subscribe(name), { code: 'WSLB_CONFIG_INVALID' })
  void attachment.subscribe('@that nobody waits for')
  await relay.close()
  t.throws(() => relay.attach(socket, { clientId: 'bob' }), { code: 'WSLB_CLOSED' })
})
