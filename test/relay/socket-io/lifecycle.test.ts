import t, { type Test } from 'tap'
import {
  createRelay,
  MemoryStore,
  type Channel,
  type GapEvent,
  type Relay,
} from '../../../lib/relay/index.ts'
import { FastClock } from '../../support/clock.ts'
import {
  type Node,
  type NodeOptions,
  connectClient,
  heard,
  isJoined,
  startNode,
} from '../../support/socket-io-servers.ts'
import { until } from '../../support/until.ts'

const connectionStateRecovery = { maxDisconnectionDuration: 5_000 }

/** What a namespace subscribes to: what happens in it, what it is answered, and who joins and leaves it. */
const EACH = 3
/** Engine.IO gives a client that polls, or is being upgraded, half a minute to go. */
const transports = ['websocket']

async function two(t: Test, options: NodeOptions = {}, change = (relay: Relay) => relay): Promise<Node[]> {
  const memory = new MemoryStore()
  const start = () => startNode(t, change(createRelay({ memory })), options)
  return [await start(), await start()]
}

/** A relay that loses something when told to. */
function lossy(relay: Relay, gaps: ((gap: GapEvent) => void)[]): Relay {
  const channelOf = relay.channel.bind(relay)
  return Object.assign(relay, {
    channel: (...args: Parameters<Relay['channel']>): Channel => {
      const channel = channelOf(...args)
      return {
        ...channel,
        subscribe: (listener, options) => {
          if (options?.onGap) gaps.push(options.onGap)
          return channel.subscribe(listener, options)
        },
      }
    },
  })
}

t.test('a closed server leaves nothing behind', async (t) => {
  const clock = new FastClock(1)
  const nodes = await two(t, { server: { connectionStateRecovery }, adapter: { clock } })
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a, { transports })
  client.on('ask', (answer: (value: number) => void) => answer(1))
  await a.io.timeout(10_000).emitWithAck('ask')
  a.io.on('silent', () => {})
  const asked = b.io.serverSideEmitWithAck('silent').then(undefined, (error: Error) => error.message)
  t.equal(a.relay.status().subscriptions, EACH)
  await b.io.close()
  t.equal(await asked, 'the adapter was closed')
  await a.io.close()
  t.strictSame([a.relay.status().subscriptions, b.relay.status().subscriptions], [0, 0])
  t.equal(clock.pending, 0, 'no timer')
  t.equal(a.relay.status().state, 'ready', 'the relay is not closed by it')
})

t.test('a namespace that is removed leaves nothing behind, and may come again', async (t) => {
  const nodes = await two(t, { server: { cleanupEmptyChildNamespaces: true } })
  const [a, b] = nodes as [Node, Node]
  for (const { io } of nodes) io.of(/^\/room-\d+$/)
  for (let round = 0; round < 3; round++) {
    const { client } = await connectClient(t, a, { namespace: '/room-1', transports }).catch(() => ({
      client: undefined!,
    }))
    await isJoined({ name: '/room-1' }, a.relay)
    t.equal(a.relay.status().subscriptions, 2 * EACH)
    t.equal(b.relay.status().subscriptions, EACH, 'a node reads only namespaces that it has')
    client.disconnect()
    await until(() => a.relay.status().subscriptions === EACH, 'the namespace to be gone')
  }
})

t.test('a namespace that is left before it has joined leaves nothing behind', async (t) => {
  const [{ io, relay }] = (await two(t)) as [Node]
  for (let number = 0; number < 20; number++) {
    const adapter = io.of(`/room-${number}`).adapter
    for (let turn = 0; turn < number; turn++) await Promise.resolve()
    await adapter.close()
    t.same(await relay.presence(`socket.io/room-${number}`).list(), [])
  }
  await until(() => relay.status().outbox.messages === 0, 'what they have said')
  t.equal(relay.status().subscriptions, EACH)
})

t.test('a parent namespace reaches its children on all nodes', async (t) => {
  const nodes = await two(t)
  const parents = nodes.map(({ io }) => io.of(/^\/room-\d+$/))
  const pairs = []
  for (const node of nodes) {
    const arrived = new Promise<void>((resolve) => parents[pairs.length]!.once('connection', () => resolve()))
    const { client } = await connectClient(t, node, { transports })
    const child = client.io.socket('/room-7')
    t.teardown(() => child.disconnect())
    await arrived
    await isJoined({ name: '/room-7' }, node.relay)
    pairs.push(child)
  }
  const got = pairs.map((child) => heard(child, 'test'))
  parents[0]!.emit('test', 1)
  await until(() => got.every(({ length }) => length > 0), 'both')
  t.strictSame(got, [[1], [1]])
})

t.test('a relay that is closed before its server hurts nobody', async (t) => {
  const warnings: string[] = []
  const tell = (_: object, message: string) => warnings.push(message)
  const log = { debug: tell, info: tell, warn: tell, error: tell }
  const nodes = await two(t, { server: { connectionStateRecovery }, adapter: { log } })
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a, { transports })
  const elsewhere = heard((await connectClient(t, b, { transports })).client, 'test')
  const got = heard(client, 'test')
  client.on('ask', (answer: (value: number) => void) => answer(1))
  await a.relay.close()
  a.io.emit('test', 'to those of this node')
  await until(() => got.length === 1, 'the broadcast')
  t.strictSame(elsewhere, [])
  t.match(warnings, ['what was to be told to all Socket.IO servers stays on this one'])
  a.io.socketsJoin('room')
  t.strictSame(await a.io.in('room').timeout(1_000).emitWithAck('ask'), [1])
  await t.rejects(a.io.fetchSockets(), { message: 'the relay is closed' })
  await t.rejects(a.io.serverSideEmitWithAck('hello'), { message: 'the relay is closed' })
  const later = a.io.of('/later')
  t.equal((await later.local.fetchSockets()).length, 0, 'a namespace that is made then stays alone')
  client.io.engine.close()
  await new Promise<void>((resolve) => client.once('connect', resolve))
  t.equal(client.recovered, false)
})

t.test('clients that count on hearing all come anew when their node has missed broadcasts', async (t) => {
  const gaps: ((gap: GapEvent) => void)[] = []
  const gap: GapEvent = { channel: 'socket.io/', from: 1, to: 9, reason: 'trimmed' }
  const recovering = await two(t, { server: { connectionStateRecovery } }, (relay) => lossy(relay, gaps))
  const [{ io }] = recovering as [Node]
  const { client } = await connectClient(t, recovering[0]!, { transports })
  const got = heard(client, 'test')
  io.emit('test', 1)
  await until(() => got.length === 1, 'a place to go on from')
  const told: unknown[] = []
  io.of('/').adapter.on('gap', (gap) => told.push(gap))
  const back = new Promise<void>((resolve) => client.once('connect', resolve))
  gaps[0]!(gap)
  await back
  t.equal(client.recovered, false, 'it may have missed something')
  t.strictSame(told, [gap])

  gaps.length = 0
  const plain = await two(t, {}, (relay) => lossy(relay, gaps))
  const pair = await connectClient(t, plain[0]!, { transports })
  const ends = heard(pair.client, 'disconnect')
  gaps[0]!(gap)
  const heardThen = heard(pair.client, 'test')
  plain[1]!.io.emit('test', 1)
  await until(() => heardThen.length === 1, 'the next broadcast')
  t.strictSame(ends, [], 'a server without recovery keeps its clients')
})
