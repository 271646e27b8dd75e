import t, { type Test } from 'tap'
import { type Server, type Socket as ServerSocket } from 'socket.io'
import { type Socket } from 'socket.io-client'
import { type Relay } from '../../lib/relay/index.ts'
import * as parser from '../support/json-parser.ts'
import { type Node, connectClient, heard, isJoined, startNode } from '../support/socket-io-servers.ts'
import { until } from '../support/until.ts'

/**
 * What users of Socket.IO's own adapters count on. Every case of their test suites has one here:
 *
 * A  socket.io-adapter 2.5.8, test/cluster-adapter.ts
 * S  @socket.io/redis-streams-adapter 0.3.1, test/index.ts and test/connection-state-recovery.ts
 * R  @socket.io/redis-adapter 8.3.0, test/index.ts, test/specifics.ts and test/custom-parser.ts
 * C  @socket.io/cluster-adapter 0.3.0, test/index.ts
 *
 * | case there                                                        | of   | case here                                        |
 * | ----------------------------------------------------------------- | ---- | ------------------------------------------------ |
 * | broadcasts to all clients; broadcasts; custom parser              | ASRC | every client gets a broadcast once; a parser …   |
 * | … in a namespace; uses a namespace to broadcast to rooms          | ASRC | namespaces are apart                             |
 * | … in a room, a numeric room, multiple rooms, left rooms           | ASRC | rooms                                            |
 * | … except in room                                                  | ASC  | all but those in a room                          |
 * | … to local clients only; the local flag                           | ASRC | what is local stays on its server                |
 * | multiple acknowledgements; binary content; no client; timeout     | ASRC | every client answers a broadcast; … not in time  |
 * | a single acknowledgement (local), (remote)                        | AS   | one client answers, here and elsewhere           |
 * | socketsJoin: all, matching, given; followed by emit               | ASRC | sockets join and leave wherever they are         |
 * | socketsLeave: all, matching, given                                | ASRC | sockets join and leave wherever they are         |
 * | disconnectSockets: all; sends a packet before                     | ASC  | sockets are disconnected after what was sent     |
 * | deletes rooms upon disconnection                                  | R    | rooms end with their last socket                 |
 * | fetchSockets: all, matching, single, local                        | ASRC | sockets of all servers are fetched               |
 * | serverSideEmit: event; responses; timeout; an instance leaves     | ASRC | servers hear …; servers answer; … one is silent  |
 * | unsubscribes when close is called                                 | R    | lifecycle.test.ts                                |
 * | ignores messages from unknown channels                            | R    | what is no message of an adapter is ignored      |
 * | recovery: session, missed packets, unknown session, bad offset    | S    | recovery.test.ts                                 |
 * | returns all rooms across several nodes                            | R    | none: `allRooms()` is a method of that adapter,  |
 * |                                                                   |      | not of Socket.IO's                               |
 * | should retry psubscribe call (adapter-retries.ts, unreleased)     | R    | none: subscribing again is the relay's           |
 */
export function socketIoAdapterContract(relays: (t: Test, count: number) => Relay[]): void {
  async function three(t: Test): Promise<Three> {
    const nodes = await Promise.all(
      relays(t, 3).map((relay) => startNode(t, relay, { adapter: { requestTimeout: 500 } })),
    )
    const pairs = await Promise.all(nodes.map((node) => connectClient(t, node)))
    return {
      nodes,
      servers: nodes.map(({ io }) => io),
      clients: pairs.map(({ client }) => client),
      sockets: pairs.map(({ socket }) => socket),
    }
  }

  /** Which of the clients get it; whatever was sent before the mark has come when the mark has. */
  async function reached({ servers, clients }: Three, act: () => unknown): Promise<number[]> {
    const got = clients.map((client) => heard(client, 'test'))
    const marks = clients.map((client) => heard(client, 'mark'))
    act()
    servers[0]!.emit('mark')
    await until(() => marks.every(({ length }) => length === 1), 'the mark')
    return got.map(({ length }) => length)
  }

  t.test('every client gets a broadcast once, and what was in it', async (t) => {
    const { servers, clients, sockets } = await three(t)
    const got: unknown[][] = []
    for (const client of clients) client.on('test', (...args: unknown[]) => got.push(args))
    const sent = [1, '2', [], { a: 'b' }, Buffer.from([3, 4]), Uint8Array.of(5), new Date(0), null]
    servers[0]!.emit('test', ...sent)
    await until(() => got.length === 3, 'all clients')
    const expected = [
      1,
      '2',
      [],
      { a: 'b' },
      Buffer.from([3, 4]),
      Buffer.from([5]),
      '1970-01-01T00:00:00.000Z',
      null,
    ]
    for (const args of got) t.strictSame(args, expected)
    sockets[1]!.broadcast.emit('test', 'to the others')
    await until(() => got.length === 5, 'all but the sender')
    t.throws(() => servers[0]!.emit('test', 1n), TypeError, 'as a single server does')
  })

  t.test('a parser of the application is for its clients only', async (t) => {
    const nodes = await Promise.all(relays(t, 2).map((relay) => startNode(t, relay, { server: { parser } })))
    const { client } = await connectClient(t, nodes[1]!, { parser })
    const got = heard(client, 'test')
    nodes[0]!.io.emit('test', { list: [3] })
    await until(() => got.length === 1, 'the broadcast')
    t.strictSame(got, [{ list: [3] }])
  })

  t.test('namespaces are apart', async (t) => {
    const { nodes, clients } = await three(t)
    const chats = nodes.map(({ io }) => io.of('/chat'))
    await Promise.all(nodes.map(({ relay }, index) => isJoined(chats[index]!, relay)))
    const pairs = await Promise.all(nodes.map((node) => connectClient(t, node, { namespace: '/chat' })))
    const inChat = pairs.map(({ client }) => heard(client, 'test'))
    const outside = clients.map((client) => heard(client, 'test'))
    chats[0]!.emit('test', 1)
    await until(() => inChat.every(({ length }) => length === 1), 'the namespace')
    void pairs[1]!.socket.join('woot')
    chats[2]!.to('woot').emit('test', 2)
    await until(() => inChat[1]!.length === 2, 'the room')
    t.strictSame([...inChat, ...outside], [[1], [1, 2], [1], [], [], []])
    t.equal((await chats[0]!.fetchSockets()).length, 3)
  })

  t.test('rooms: those in one, in several, with a number, and not who has left', async (t) => {
    const all = await three(t)
    const { servers, sockets } = all
    void sockets[1]!.join(['foo', 'bar'])
    t.strictSame(await reached(all, () => servers[0]!.to('foo').emit('test')), [0, 1, 0])
    t.strictSame(
      await reached(all, () => sockets[0]!.broadcast.to('foo').to('bar').emit('test')),
      [0, 1, 0],
      'once',
    )
    const number = 123 as unknown as string
    void sockets[0]!.join(number)
    t.strictSame(await reached(all, () => servers[1]!.to(number).emit('test')), [1, 0, 0])
    void sockets[1]!.leave('foo')
    t.strictSame(await reached(all, () => sockets[2]!.broadcast.to('foo').emit('test')), [0, 0, 0])
  })

  t.test('all but those in a room', async (t) => {
    const all = await three(t)
    void all.sockets[1]!.join('room')
    t.strictSame(await reached(all, () => all.servers[0]!.of('/').except('room').emit('test')), [1, 0, 1])
  })

  t.test('what is local stays on its server', async (t) => {
    const all = await three(t)
    const { servers, sockets, clients } = all
    for (const socket of sockets) void socket.join('room')
    t.strictSame(await reached(all, () => servers[0]!.local.emit('test')), [1, 0, 0])
    t.strictSame(await reached(all, () => servers[1]!.local.to('room').emit('test')), [0, 1, 0])
    for (const client of clients) client.on('ask', (answer: (value: number) => void) => answer(1))
    t.strictSame(await servers[2]!.local.timeout(1_000).emitWithAck('ask'), [1])
    t.equal((await servers[0]!.local.fetchSockets()).length, 1)
    servers[0]!.local.socketsJoin('mine')
    t.strictSame(await reached(all, () => servers[1]!.to('mine').emit('test')), [1, 0, 0])
  })

  t.test('every client answers a broadcast', async (t) => {
    const { servers, clients } = await three(t)
    clients.forEach((client, index) => {
      client.on('text', (answer: (value: unknown) => void) => answer(index))
      client.on('bytes', (answer: (value: unknown) => void) => answer(Buffer.from([index])))
    })
    const texts = (await servers[0]!.timeout(1_000).emitWithAck('text')) as number[]
    t.strictSame(texts.sort(), [0, 1, 2])
    const bytes = (await servers[1]!.timeout(1_000).emitWithAck('bytes')) as Buffer[]
    t.strictSame(bytes.map(([byte]) => byte).sort(), [0, 1, 2])
    t.strictSame(await servers[0]!.to('nobody').timeout(1_000).emitWithAck('text'), [])
  })

  t.test('clients that do not answer in time are an error, with what the others said', async (t) => {
    const { servers, clients, sockets } = await three(t)
    clients
      .slice(0, 2)
      .forEach((client, index) => client.on('test', (answer: (value: number) => void) => answer(index)))
    const error: unknown = await servers[0]!
      .timeout(200)
      .emitWithAck('test')
      .then(undefined, (error: Error) => error)
    t.match(error, { message: 'operation has timed out', responses: Array })
    t.strictSame((error as { responses: number[] }).responses.sort(), [0, 1])
    const owed = sockets.map((socket) => (socket as unknown as { acks: Map<number, unknown> }).acks)
    await until(() => owed.every(({ size }) => size === 0), 'nothing left of it')
  })

  t.test('one client answers, here and elsewhere', async (t) => {
    const { servers, clients, sockets } = await three(t)
    clients.forEach((client, index) => client.on('test', (answer: (value: number) => void) => answer(index)))
    t.equal(await sockets[1]!.emitWithAck('test'), 1)
    const [remote] = await servers[0]!.in(sockets[1]!.id).fetchSockets()
    t.equal(await remote!.timeout(1_000).emitWithAck('test'), 1)
  })

  t.test('sockets join and leave wherever they are', async (t) => {
    const all = await three(t)
    const { servers, sockets } = all
    const inRoom = (room: string) => sockets.map(({ rooms }) => Number(rooms.has(room)))
    servers[0]!.socketsJoin('all')
    t.strictSame(
      await reached(all, () => servers[0]!.to('all').emit('test')),
      [1, 1, 1],
      'what is sent after it',
    )
    t.strictSame(inRoom('all'), [1, 1, 1])
    void sockets[0]!.join('some')
    void sockets[2]!.join('some')
    await reached(all, () => servers[0]!.in('some').socketsJoin(['matching', 'more']))
    t.strictSame(
      [inRoom('matching'), inRoom('more')],
      [
        [1, 0, 1],
        [1, 0, 1],
      ],
    )
    await reached(all, () => servers[0]!.in(sockets[1]!.id).socketsJoin('given'))
    t.strictSame(inRoom('given'), [0, 1, 0])
    await reached(all, () => servers[1]!.in(sockets[0]!.id).socketsLeave('all'))
    t.strictSame(inRoom('all'), [0, 1, 1], 'a given socket')
    await reached(all, () => servers[0]!.in('some').socketsLeave('all'))
    t.strictSame(inRoom('all'), [0, 1, 0], 'matching ones')
    await reached(all, () => servers[0]!.socketsLeave('all'))
    t.strictSame(inRoom('all'), [0, 0, 0], 'all')
  })

  t.test('sockets are disconnected after what was sent before', async (t) => {
    const { servers, clients } = await three(t)
    const news: string[][] = clients.map((client) => {
      const got: string[] = []
      client.on('bye', () => got.push('bye'))
      client.on('disconnect', (reason) => got.push(reason))
      return got
    })
    servers[0]!.emit('bye')
    servers[0]!.disconnectSockets()
    await until(() => news.every(({ length }) => length === 2), 'all to be gone')
    for (const got of news) t.strictSame(got, ['bye', 'io server disconnect'])
  })

  t.test('rooms end with their last socket', async (t) => {
    const { servers, sockets, clients } = await three(t)
    void sockets[0]!.join('woot')
    clients[0]!.disconnect()
    const { rooms, sids } = servers[0]!.of('/').adapter
    await until(() => rooms.size === 0 && sids.size === 0, 'nothing left of it')
  })

  t.test('sockets of all servers are fetched', async (t) => {
    const { servers, sockets } = await three(t)
    sockets[1]!.data = { name: 'test', bytes: Buffer.from([1]) }
    void sockets[1]!.join('room')
    void sockets[2]!.join('room')
    Object.assign(sockets[1]!.handshake, { sessionStore: 'not included' })
    const found = await servers[0]!.fetchSockets()
    t.strictSame(found.map(({ id }) => id).sort(), sockets.map(({ id }) => id).sort())
    t.equal(
      found.find(({ id }) => id === sockets[0]!.id),
      sockets[0],
      'one of its own is itself',
    )
    const [remote] = await servers[0]!.in(sockets[1]!.id).fetchSockets()
    const { sessionStore, ...handshake } = sockets[1]!.handshake as unknown as Record<string, unknown>
    t.equal(sessionStore, 'not included')
    t.strictSame(remote!.handshake, handshake)
    t.strictSame(remote!.data, { name: 'test', bytes: Buffer.from([1]) })
    t.strictSame(remote!.rooms, new Set([sockets[1]!.id, 'room']))
    t.equal((await servers[0]!.in('room').fetchSockets()).length, 2)
    servers[0]!.socketsJoin('late')
    t.equal((await servers[0]!.in('late').fetchSockets()).length, 3, 'who was made to join just before')
  })

  t.test('servers hear what one of them says, and it does not', async (t) => {
    const { servers } = await three(t)
    const got: unknown[][] = []
    servers.forEach((server, index) => server.on('hello', (...args: unknown[]) => got.push([index, ...args])))
    servers[0]!.serverSideEmit('hello', 'world', 1, Buffer.from([2]))
    await until(() => got.length === 2, 'the others')
    t.strictSame(got.sort(), [
      [1, 'world', 1, Buffer.from([2])],
      [2, 'world', 1, Buffer.from([2])],
    ])
  })

  t.test('servers answer', async (t) => {
    const { servers } = await three(t)
    servers[0]!.on('hello', () => t.fail('the one that asks'))
    servers[1]!.on('hello', (answer: (value: unknown) => void) => answer(2))
    servers[2]!.on('hello', (answer: (value: unknown) => void) => answer('3'))
    const answers = (await servers[0]!.serverSideEmitWithAck('hello')) as unknown[]
    t.strictSame(answers.sort(), [2, '3'])
  })

  t.test('a server that is silent is an error, one that leaves is not', async (t) => {
    const { servers } = await three(t)
    servers[1]!.on('hello', (answer: (value: number) => void) => answer(2))
    const ask = () => servers[0]!.serverSideEmitWithAck('hello').then(undefined, (error: Error) => error)
    t.match(await ask(), { message: 'timeout reached: missing 1 responses', responses: [2] })
    servers[2]!.on('hello', () => void servers[2]!.of('/').adapter.close())
    t.strictSame(await ask(), [2])
  })

  t.test('what is no message of an adapter is ignored', async (t) => {
    const all = await three(t)
    const [{ relay }] = all.nodes as [Node]
    for (const data of ['', 'foo', '3[]', Buffer.from([0, 0, 0, 9]), { any: 'thing' }]) {
      await relay.publish('socket.io/', data, { ack: 'master' })
    }
    t.strictSame(await reached(all, () => all.servers[0]!.emit('test')), [1, 1, 1])
  })
}

interface Three {
  readonly nodes: Node[]
  readonly servers: Server[]
  readonly clients: Socket[]
  readonly sockets: ServerSocket[]
}
