import { type Socket, io } from 'socket.io-client'
import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { type App, socketIoApp } from '../support/apps.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { ask } from '../support/clients.ts'
import { seededRandom } from '../support/random.ts'
import { type Client, type Transport, connect } from '../support/socket-io.ts'
import { until } from '../support/until.ts'

const MODES: Record<string, Transport[]> = {
  'polling only': ['polling'],
  'polling, then websocket': ['polling', 'websocket'],
  'websocket only': ['websocket'],
}

/** @returns the server that answered */
async function echo({ socket }: Client, ...args: unknown[]): Promise<{ server: string; args: unknown[] }> {
  return (await socket.timeout(5_000).emitWithAck('echo', ...args)) as { server: string; args: unknown[] }
}

async function startAll(t: Scope, health?: object) {
  const apps = await Promise.all(['red', 'blue', 'green'].map((id) => socketIoApp(t, id)))
  const backends = apps.map(({ id, url }) => ({ id, url }))
  const random = seededRandom(7)
  const config = { backends, balance: 'random' as const, ...(health && { health }) }
  return { apps, ...(await startBalancer(t, config, { clock: systemClock, random })) }
}

for (const [mode, transports] of Object.entries(MODES)) {
  t.test(`${mode}: every client talks to one server, and stays there`, async (t) => {
    const { apps, url, balancer } = await startAll(t)
    const clients = await Promise.all(Array.from({ length: 12 }, () => connect(t, url, transports)))
    const homes = clients.map(({ servers }) => servers[0]!)
    t.same(new Set(homes), new Set(['red', 'blue', 'green']), 'all three servers have clients')

    if (transports.includes('websocket')) {
      const transport = ({ socket }: Client) => socket.io.engine.transport
      await until(
        () => clients.every((client) => transport(client).name === 'websocket'),
        'every client to have a WebSocket',
      )
      t.ok(
        clients.every((client) => {
          const { ws } = transport(client) as unknown as { ws: { extensions: string } }
          return ws.extensions.includes('permessage-deflate')
        }),
        'permessage-deflate was agreed on from end to end',
      )
      t.equal(
        balancer.snapshot().backends.reduce((sum, { tunnels }) => sum + tunnels, 0),
        clients.length,
      )
    }

    const bytes = Buffer.from(Array.from({ length: 2_000 }, (_, i) => i % 256))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        clients.map((client, i) => echo(client, `${round}/${i}`, { deep: [i] }, bytes)),
      )
      t.same(
        answers.map(({ server }) => server),
        homes,
      )
      t.same(
        answers.map(({ args }) => args),
        clients.map((_, i) => [`${round}/${i}`, { deep: [i] }, bytes]),
        'text, objects and binary come back as they went',
      )
    }

    clients[homes.indexOf('red')]!.socket.emit('everybody', 'hello')
    const reds = clients.filter((_, i) => homes[i] === 'red')
    await until(() => reds.every(({ news }) => news.length === 1), 'the news of red')
    t.same(
      clients.flatMap(({ news }) => news),
      reds.map(() => 'red: hello'),
      'a broadcast reaches the clients of that server only',
    )

    t.same(
      clients.flatMap(({ troubles }) => troubles),
      [],
      'nobody was disconnected',
    )
    t.equal(
      apps.reduce((sum, app) => sum + app.clients(), 0),
      clients.length,
      'nobody connected twice',
    )
  })
}

t.test('when one server dies its clients find another, and the others notice nothing', async (t) => {
  const { apps, url, balancer } = await startAll(t, { interval: '100ms', debounce: '200ms' })
  const clients = await Promise.all(
    Object.values(MODES).flatMap((transports) =>
      Array.from({ length: 8 }, () => connect(t, url, transports)),
    ),
  )
  const dead = apps.find(({ id }) => id === 'blue') as App
  const [orphans, others] = [true, false].map((orphaned) =>
    clients.filter(({ servers }) => (servers[0] === dead.id) === orphaned),
  ) as [Client[], Client[]]
  t.ok(orphans.length > 0 && others.length > 0)
  const cookie = await cookieOf(url, dead)

  const down = new Promise<string>((resolve) =>
    balancer.on('backend:down', ({ backend }) => resolve(backend)),
  )
  dead.die()

  await until(() => orphans.every(({ servers }) => servers.length === 2), 'the orphans to be welcomed again')
  t.notOk(
    orphans.some(({ servers }) => servers[1] === dead.id),
    'by other servers',
  )
  const answers = await Promise.all(clients.map((client) => echo(client, 'still there?')))
  t.same(
    answers.map(({ server }) => server),
    clients.map(({ servers }) => servers.at(-1)),
  )
  t.same(
    others.flatMap(({ troubles }) => troubles),
    [],
    'clients of the living servers were not disconnected',
  )
  t.ok(
    others.every(({ servers }) => servers.length === 1),
    'nor moved',
  )

  const moved = await handshake(url, cookie)
  t.equal(moved.status, 200)
  t.match(moved.headers['set-cookie'], [/^server=/], 'who comes with the cookie of the dead one gets another')
  t.not(moved.headers['set-cookie']![0]!.split(';')[0], cookie)
  t.equal(await down, 'blue')
})

t.test('a client that reconnects after a cut connection comes back to its server', async (t) => {
  const { url } = await startAll(t)
  const home = await connect(t, url, ['polling', 'websocket'])
  const [cookie] = (await handshake(url)).headers['set-cookie']!
  const socket = io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 20,
    extraHeaders: { cookie: cookie!.split(';')[0]! },
  })
  t.teardown(() => socket.disconnect())
  const welcomes: string[] = []
  socket.on('welcome', (server: string) => welcomes.push(server))
  for (let cuts = 1; cuts <= 5; cuts++) {
    await until(() => welcomes.length === cuts, 'a welcome')
    socket.io.engine.close()
  }
  await until(() => welcomes.length === 6, 'the last welcome')
  t.equal(new Set(welcomes).size, 1)
  t.same(home.troubles, [])
})

/** What Socket.IO's first request is. Its session is never used, and ends with the server. */
function handshake(url: string, cookie?: string) {
  return ask(`${url}/socket.io/?EIO=4&transport=polling`, { headers: cookie ? { cookie } : {} })
}

/** A cookie that ties to this server. */
async function cookieOf(url: string, app: App): Promise<string> {
  for (let i = 0; i < 100; i++) {
    const cookie = (await handshake(url)).headers['set-cookie']![0]!.split(';')[0]!
    const { socket, servers } = await welcomed(url, cookie)
    socket.disconnect()
    if (servers === app.id) return cookie
  }
  throw new Error(`no cookie of ${app.id} was given out`)
}

async function welcomed(url: string, cookie: string): Promise<{ socket: Socket; servers: string }> {
  const socket = io(url, { transports: ['websocket'], forceNew: true, extraHeaders: { cookie } })
  const servers = await new Promise<string>((resolve) => socket.once('welcome', resolve))
  return { socket, servers }
}
