import SockJS from 'sockjs-client'
import t from 'tap'
import { sockJsApp } from '../support/apps.ts'
import { type Scope } from '../support/balancer.ts'
import { ask } from '../support/clients.ts'
import { until } from '../support/until.ts'
import { type Trio, crowd, tally, trio } from './harness.ts'
import { type Ledger } from './ledger.ts'

/** What the client can do in Node. It has no cookies there. */
const TRANSPORTS = ['xhr-streaming', 'xhr-polling', 'eventsource', 'websocket']
const EACH = 26
const MESSAGES = 15
const PATIENCE = 20_000

/** Says its name, and then everything back behind it. */
const serve = (t: Scope, id: string) => sockJsApp(t, id, { jsessionid: false })

class Client {
  readonly name: string
  readonly transport: string
  readonly #ledger: Ledger
  readonly #url: string
  #socket: InstanceType<typeof SockJS> | undefined
  /** Servers it has been on, in order. */
  readonly servers: string[] = []
  readonly closes: number[] = []
  said = 0

  constructor(name: string, transport: string, { url, ledger }: Pick<Trio<never>, 'url' | 'ledger'>) {
    this.name = name
    this.transport = transport
    this.#ledger = ledger
    this.#url = url
  }

  /** Settles when the server has said its name. */
  async open(): Promise<void> {
    const before = this.servers.length
    const options = { transports: this.transport, timeout: PATIENCE } as SockJS.Options
    this.#socket = new SockJS(`${this.#url}/echo`, null, options)
    this.#socket.onmessage = ({ data }) => this.#hear(String(data), before)
    this.#socket.onclose = ({ code }) => this.closes.push(code)
    await until(() => this.servers.length > before, `${this.name} to be welcomed`, PATIENCE)
  }

  #hear(text: string, before: number): void {
    if (this.servers.length === before) return void this.servers.push(text)
    const [server, number] = text.split(': ')
    if (server !== this.servers.at(-1)) this.#ledger.error(this.name, `was answered by ${server}`)
    this.#ledger.received(this.name, Number(number))
  }

  say(count: number): void {
    for (const end = this.said + count; this.said < end; this.said++) this.#socket!.send(String(this.said))
  }

  leave(): void {
    this.#socket?.close()
  }
}

/** Everybody, over every transport, mixed. */
function everybody(t: Scope, started: Pick<Trio<never>, 'url' | 'ledger'>, each = EACH): Promise<Client[]> {
  return crowd(each * TRANSPORTS.length, async (index) => {
    const transport = TRANSPORTS[index % TRANSPORTS.length]!
    const client = new Client(`${transport} ${index}`, transport, started)
    t.teardown(() => client.leave())
    await client.open()
    return client
  })
}

async function talk(clients: readonly Client[], ledger: Ledger): Promise<void> {
  for (const client of clients) client.say(MESSAGES)
  const all = () => clients.every(({ name, said }) => ledger.count(name) === said)
  await until(all, 'everything that was said to come back', PATIENCE)
}

t.test('without cookies every session stays on its server, messages in order', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'sockjs' }))
  const { url, ledger, refused, servers } = started
  const { cookie_needed: needed } = JSON.parse((await ask(`${url}/echo/info`)).body) as Record<
    string,
    unknown
  >
  t.equal(needed, false, 'the server does not ask for cookies')

  const clients = await everybody(t, started)
  t.ok(clients.length >= 100, `${clients.length} clients`)
  await talk(clients, ledger)
  await talk(clients, ledger)
  for (const transport of TRANSPORTS) {
    const homes = tally(
      clients.filter((one) => one.transport === transport).flatMap(({ servers }) => servers),
    )
    t.strictSame(
      Object.keys(homes).sort(),
      ['blue', 'green', 'red'],
      `${transport}: ${JSON.stringify(homes)}`,
    )
  }
  t.strictSame(
    clients.flatMap(({ closes }) => closes),
    [],
  )
  t.strictSame(ledger.errors, [])
  t.strictSame(refused, [])
  const sessions = servers.reduce((sum, server) => sum + server.clients(), 0)
  t.equal(sessions, clients.length, 'nobody has begun a second session')
})

t.test('when one server is killed its clients find another, and the others notice nothing', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'sockjs' }))
  const { ledger, servers } = started
  const clients = await everybody(t, started, 9)
  await talk(clients, ledger)
  const orphans = clients.filter((client) => client.servers[0] === 'blue')
  const others = clients.filter((client) => client.servers[0] !== 'blue')
  t.ok(orphans.length > 0)

  servers.find(({ id }) => id === 'blue')!.die()
  // What a client of the library does by hand: a new one when the old one is closed.
  await until(() => orphans.every(({ closes }) => closes.length === 1), 'the orphans to be closed', PATIENCE)
  await Promise.all(orphans.map((client) => client.open()))
  await talk(clients, ledger)
  t.notOk(orphans.some((client) => client.servers[1] === 'blue'))
  t.strictSame(
    others.flatMap(({ closes }) => closes),
    [],
  )
  t.strictSame(ledger.errors, [])
})

t.test('reloads while sessions begin forget nobody', async (t) => {
  const started = await trio(t, serve, () => ({ sticky: 'sockjs' }))
  const { ledger, refused } = started
  let reloads = 0
  let open = false
  const reloading = (async () => {
    for (; !open; reloads++) {
      await started.reload()
      await new Promise(setImmediate)
    }
  })()
  const clients = await everybody(t, started, 9)
  open = true
  await reloading
  t.ok(reloads > 10, `${reloads} reloads`)
  await talk(clients, ledger)
  t.strictSame(
    clients.flatMap(({ closes }) => closes),
    [],
  )
  t.strictSame(ledger.errors, [])
  t.strictSame(refused, [])
})
