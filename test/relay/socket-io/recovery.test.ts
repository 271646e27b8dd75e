import t, { type Test } from 'tap'
import { type Socket } from 'socket.io-client'
import { createRelay, MemoryStore, type Relay } from '../../../lib/relay/index.ts'
import {
  type Node,
  type NodeOptions,
  connectClient,
  heard,
  startNode,
} from '../../support/socket-io-servers.ts'
import { until } from '../../support/until.ts'

const connectionStateRecovery = { maxDisconnectionDuration: 5_000 }

interface Cluster {
  readonly nodes: Node[]
  readonly start: (options?: NodeOptions) => Promise<Node>
}

async function cluster(t: Test, { server, ...options }: NodeOptions = {}): Promise<Cluster> {
  const memory = new MemoryStore()
  const start = (more: NodeOptions = {}) => {
    const relay: Relay = createRelay({ memory })
    return startNode(t, relay, {
      ...options,
      ...more,
      server: { connectionStateRecovery, ...server, ...more.server },
    })
  }
  return { nodes: [await start(), await start()], start }
}

/** The connection breaks, and the client comes back to that node. */
async function moveTo(client: Socket, { url }: Node): Promise<void> {
  const back = new Promise<void>((resolve) => client.once('connect', resolve))
  Object.assign(client.io, { uri: url })
  client.io.engine.close()
  await back
}

const leaves = (client: Socket) => new Promise<void>((resolve) => client.once('disconnect', () => resolve()))

for (const transport of ['websocket', 'polling'] as const) {
  t.test(`a client goes on where it was, on another node (${transport})`, async (t) => {
    const { nodes } = await cluster(t)
    const [a, b] = nodes as [Node, Node]
    const { client, socket } = await connectClient(t, a, { transports: [transport] })
    const got = heard(client, 'test')
    await socket.join('room1')
    socket.data = { name: 'alice', bytes: Buffer.from([1]) }
    const { id } = client
    b.io.emit('test', 0)
    await until(() => got.length === 1, 'the first')
    // The server says these when it has seen the client go.
    socket.once('disconnect', () => {
      socket.emit('test', 1)
      a.io.emit('test', 2)
      b.io.to('room1').emit('test', Buffer.from([3]))
      b.io.to('room2').emit('test', 'another room')
      b.io.except('room1').emit('test', 'excepted')
      a.io.of('/foo').emit('test', 'another namespace')
      a.io.volatile.emit('test', 'volatile')
      b.io.emit('test', 4)
    })
    const arrived = new Promise<typeof socket>((resolve) => b.io.once('connection', resolve))
    await moveTo(client, b)
    a.io.emit('test', 5)
    await until(() => got.length >= 6, 'what was missed')
    t.strictSame(got, [0, 1, 2, Buffer.from([3]), 4, 5], 'once, and in order')
    t.equal(client.recovered, true)
    t.equal(client.id, id)
    const there = await arrived
    t.strictSame(there.rooms, new Set([id, 'room1']))
    t.strictSame(there.data, { name: 'alice', bytes: Buffer.from([1]) })
    a.io.to('room1').emit('test', 6)
    await until(() => got.length === 7, 'the room')
  })
}

t.test('what comes while middleware runs is not lost either', async (t) => {
  const { nodes } = await cluster(t, {
    server: { connectionStateRecovery: { ...connectionStateRecovery, skipMiddlewares: false } },
  })
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a)
  const got = heard(client, 'test')
  a.io.emit('test', 0)
  await until(() => got.length === 1, 'the first')
  const witness = heard((await connectClient(t, b)).client, 'test')
  b.io.use((_socket, next) => {
    a.io.emit('test', 1)
    b.io.emit('test', 2)
    void until(() => witness.length === 2, 'both to be out').then(() => next())
  })
  await moveTo(client, b)
  t.equal(client.recovered, true)
  a.io.emit('test', 3)
  await until(() => got.length >= 4, 'all of it')
  t.strictSame(got, [0, 1, 2, 3])
})

t.test('a node that has just been started knows what was missed', async (t) => {
  const { nodes, start } = await cluster(t)
  const [a, b] = nodes as [Node, Node]
  const { client, socket } = await connectClient(t, a)
  const got = heard(client, 'test')
  a.io.emit('test', 0)
  await until(() => got.length === 1, 'the first')
  const gone = new Promise<void>((resolve) => socket.once('disconnect', () => resolve()))
  client.io.reconnection(false)
  client.io.engine.close()
  await gone
  b.io.emit('test', 1)
  const c = await start()
  client.io.reconnection(true)
  Object.assign(client.io, { uri: c.url })
  client.connect()
  await until(() => got.length === 2, 'what was missed')
  t.ok(client.recovered)
  t.strictSame(got, [0, 1])
})

t.test('the clients of a server that is closed go on at another', async (t) => {
  const { nodes } = await cluster(t)
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a)
  const got = heard(client, 'test')
  a.io.emit('test', 0)
  await until(() => got.length === 1, 'the first')
  const gone = leaves(client)
  Object.assign(client.io, { uri: b.url })
  void a.io.close()
  await gone
  b.io.emit('test', 1)
  await until(() => got.length === 2, 'what was missed')
  t.ok(client.recovered)
})

t.test('what is local, volatile or answered leaves a client where it was', async (t) => {
  const { nodes } = await cluster(t)
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a)
  const got = heard(client, 'test')
  client.on('ask', (answer: (value: number) => void) => answer(1))
  b.io.emit('test', 'first')
  await until(() => got.length === 1, 'the first')
  a.io.local.emit('test', 'local')
  b.io.volatile.emit('test', 'volatile')
  t.strictSame(await b.io.timeout(1_000).emitWithAck('ask'), [1])
  t.strictSame(got.slice(0, 2), ['first', 'local'])
  await moveTo(client, b)
  t.ok(client.recovered)
})

t.test('a session is continued once', async (t) => {
  const { nodes } = await cluster(t)
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a)
  const got = heard(client, 'test')
  a.io.emit('test', 0)
  await until(() => got.length === 1, 'the first')
  const { _pid: pid, _lastOffset: offset } = client as unknown as { _pid: string; _lastOffset: string }
  const gone = leaves(client)
  client.io.reconnection(false)
  client.io.engine.close()
  await gone
  const arrived: boolean[] = []
  for (const { io } of nodes) io.on('connection', ({ recovered }) => arrived.push(recovered))
  await Promise.all([a, b, a, b].map((node) => connectClient(t, node, { auth: { pid, offset } })))
  t.strictSame(arrived.sort(), [false, false, false, true])
})

t.test('nobody is recovered who cannot be', async (t) => {
  const { nodes } = await cluster(t, { adapter: { history: { length: 3 } } })
  const [a, b] = nodes as [Node, Node]
  const { client } = await connectClient(t, a)
  const got = heard(client, 'test')
  const emit = async (value: number) => {
    a.io.emit('test', value)
    await until(() => got.includes(value), `${value}`)
  }
  await emit(0)
  const known = (client as unknown as { _lastOffset: string })._lastOffset
  for (const offset of ['abc', '', '0x0/1', known.replace(/\d+$/, '999'), 'x'.repeat(100_000)]) {
    Object.assign(client, { _lastOffset: offset })
    await moveTo(client, b)
    t.equal(client.recovered, false, `offset ${offset.slice(0, 20)}`)
    await emit(Math.random())
  }
  for (const pid of ['abc', 'x'.repeat(20), '../../@c:somebody', 'x'.repeat(100_000)]) {
    Object.assign(client, { _pid: pid })
    await moveTo(client, b)
    t.equal(client.recovered, false, `pid ${pid.slice(0, 20)}`)
    await emit(Math.random())
  }
  await moveTo(client, b)
  t.equal(client.recovered, true, 'with what it was given itself')
  await emit(1)
  const last = (client as unknown as { _lastOffset: string })._lastOffset
  for (const value of [2, 3, 4, 5, 6]) await emit(value)
  Object.assign(client, { _lastOffset: last })
  await moveTo(client, b)
  t.equal(client.recovered, false, 'when the history does not reach back')
})
