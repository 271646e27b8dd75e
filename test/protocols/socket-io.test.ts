import { createRequire } from 'node:module'
import { Fetch } from 'engine.io-client'
import { Server as SocketIo } from 'socket.io'
import { io as ioV4 } from 'socket.io-client'
import t from 'tap'
import { mortal } from '../support/apps.ts'
import { type Scope } from '../support/balancer.ts'
import { ask } from '../support/clients.ts'
import { until } from '../support/until.ts'
import { type Trio, crowd, tally, trio } from './harness.ts'
import { type Ledger } from './ledger.ts'

/** What both versions of the client have. */
interface Socket {
  on(event: string, listener: (...args: never[]) => void): unknown
  emit(event: string, ...args: unknown[]): unknown
  disconnect(): unknown
}
type Connect = (url: string, options: object) => Socket

/** Speaks protocol 3 of Engine.IO. */
const ioV2 = createRequire(import.meta.url)('socket.io-client-v2') as Connect

const KINDS: Record<string, { io: Connect; transports: unknown[]; count: number }> = {
  'v4, polling only': { io: ioV4, transports: ['polling'], count: 30 },
  'v4, polling, then websocket': { io: ioV4, transports: ['polling', 'websocket'], count: 30 },
  'v4, polling over fetch, compressed': { io: ioV4, transports: [Fetch], count: 20 },
  'v2, polling only': { io: ioV2, transports: ['polling'], count: 20 },
  'v2, polling, then websocket': { io: ioV2, transports: ['polling', 'websocket'], count: 20 },
}

const MESSAGES = 20
const PATIENCE = 20_000

/** Says its name, and says every number back. */
async function serve(t: Scope, id: string) {
  const { server, url, die } = await mortal(t)
  const io = new SocketIo(server, { allowEIO3: true, httpCompression: { threshold: 1 } })
  io.on('connection', (socket) => {
    socket.emit('welcome', id)
    socket.on('say', (number: number) => socket.emit('said', number))
  })
  t.teardown(() => void io.close())
  return { id, url, die }
}

class Client {
  readonly name: string
  /** Servers that have welcomed it, in order. */
  readonly servers: string[] = []
  readonly disconnects: string[] = []
  readonly socket: Socket
  said = 0

  constructor(t: Scope, name: string, ledger: Ledger, connect: () => Socket) {
    this.name = name
    this.socket = connect()
    t.teardown(() => this.socket.disconnect())
    this.socket.on('welcome', (server: string) => this.servers.push(server))
    this.socket.on('said', (number: number) => ledger.received(name, number))
    this.socket.on('disconnect', (reason: string) => this.disconnects.push(reason))
    this.socket.on('connect_error', (error: unknown) => ledger.error(name, String(error)))
  }

  say(count: number): void {
    for (const end = this.said + count; this.said < end; this.said++) this.socket.emit('say', this.said)
  }
}

async function open(
  t: Scope,
  { url, ledger }: Pick<Trio<never>, 'url' | 'ledger'>,
  kind: string,
  index: number,
): Promise<Client> {
  const { io, transports } = KINDS[kind]!
  const options = {
    transports,
    forceNew: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    timeout: PATIENCE,
  }
  const client = new Client(t, `${kind} ${index}`, ledger, () => io(url, options))
  await until(() => client.servers.length > 0, `a welcome for ${client.name}`, PATIENCE)
  return client
}

/** Everybody, of every kind, mixed. */
function everybody(t: Scope, started: Pick<Trio<never>, 'url' | 'ledger'>, share = 1): Promise<Client[]> {
  const kinds = Object.entries(KINDS).flatMap(([kind, { count }]) =>
    Array.from({ length: count * share }, () => kind),
  )
  const mixed = kinds.map((_, index) => kinds[(index * 7) % kinds.length]!)
  return crowd(mixed.length, (index) => open(t, started, mixed[index]!, index))
}

async function talk(clients: readonly Client[], ledger: Ledger): Promise<void> {
  for (const client of clients) client.say(MESSAGES)
  const all = () => clients.every(({ name, said }) => ledger.count(name) === said)
  await until(all, 'everything that was said to come back', PATIENCE)
}

t.test('without cookies every client stays on its server, and nobody meets with an error', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'socket.io' }))
  const { url, ledger, refused, balancer } = started
  t.strictSame(balancer.snapshot().pools[0]!.sticky, ['engine.io', 'cookie'])
  const probe = `${url}/socket.io/?EIO=4&transport=polling`
  const { headers } = await ask(probe, { headers: { 'accept-encoding': 'gzip' } })
  t.equal(headers['content-encoding'], 'gzip', 'handshakes are compressed for those who want it')

  const clients = await everybody(t, started)
  t.ok(clients.length >= 100, `${clients.length} clients`)
  await talk(clients, ledger)
  await talk(clients, ledger)

  const homes = tally(clients.flatMap(({ servers }) => servers))
  t.strictSame(Object.keys(homes).sort(), ['blue', 'green', 'red'], JSON.stringify(homes))
  t.ok(
    clients.every(({ servers }) => servers.length === 1),
    'nobody connected twice',
  )
  t.strictSame(
    clients.flatMap(({ disconnects }) => disconnects),
    [],
  )
  t.strictSame(ledger.errors, [])
  t.strictSame(refused, [])
})

t.test('when one server is killed its clients find another, and the others notice nothing', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'socket.io' }))
  const { ledger, servers, refused } = started
  const clients = await everybody(t, started, 0.5)
  await talk(clients, ledger)
  const orphans = clients.filter((client) => client.servers[0] === 'blue')
  const others = clients.filter((client) => client.servers[0] !== 'blue')
  t.ok(orphans.length > 0)

  servers.find(({ id }) => id === 'blue')!.die()
  await until(() => orphans.every((client) => client.servers.length > 1), 'orphans to be welcomed', PATIENCE)
  await talk(clients, ledger)

  t.notOk(orphans.some((client) => client.servers[1] === 'blue'))
  t.ok(
    orphans.every((client) => client.servers.length === 2 && client.disconnects.length === 1),
    'each of them reconnected once',
  )
  t.strictSame(
    others.flatMap(({ disconnects }) => disconnects),
    [],
  )
  t.strictSame(ledger.errors, [], 'no connect error, nothing lost or doubled')
  const strangers = refused.filter((line) => !/sid=/.test(line))
  t.strictSame(strangers, [], 'nothing but requests for sessions of the dead server was refused')
})

t.test('reloads in the middle of handshakes forget nobody', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'socket.io' }))
  const { ledger, refused } = started
  let reloads = 0
  let open = false
  const reloading = (async () => {
    while (!open) {
      await started.reload()
      reloads++
      await new Promise(setImmediate)
    }
  })()
  const clients = await everybody(t, started, 0.5)
  open = true
  await reloading
  t.ok(reloads > 20, `${reloads} reloads`)
  await talk(clients, ledger)
  await started.reload()
  await talk(clients, ledger)
  t.strictSame(
    clients.flatMap(({ disconnects }) => disconnects),
    [],
  )
  t.strictSame(ledger.errors, [])
  t.strictSame(refused, [])
})

t.test('without stickiness the same crowd does not work: the suite would notice', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: false }))
  const client = new Client(t, 'one', started.ledger, () =>
    ioV4(started.url, { transports: ['polling'], forceNew: true, reconnection: false }),
  )
  const failed = () =>
    started.ledger.errors.length + client.disconnects.length > 0 || client.servers.length > 0
  await until(failed, 'something to happen', PATIENCE)
  t.ok(started.refused.length > 0 || client.servers.length > 0)
  const many = await Promise.all(
    Array.from({ length: 10 }, () => ask(`${started.url}/socket.io/?EIO=4&transport=polling`)),
  )
  const statuses = await Promise.all(
    many.map(({ body }) => {
      const { sid } = JSON.parse(body.slice(1)) as { sid: string }
      return ask(`${started.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
        method: 'POST',
        body: '40',
      })
    }),
  )
  t.ok(
    statuses.some(({ status }) => status === 400),
    'a session is unknown elsewhere',
  )
})
