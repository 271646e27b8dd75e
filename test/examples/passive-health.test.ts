import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import { get, open } from './clients.ts'
import { runExample } from './run-example.ts'

/** What the fragile backend does with `/fragile`, from then on it answers no probe: none can clear its name. */
type Fate = (socket: Socket) => void

interface Backend {
  readonly url: string
  /** Emits `request` and `upgrade` for those to `/fragile`. */
  readonly events: EventEmitter
}

async function startBackend(t: Test, name: string, fate?: Fate): Promise<Backend> {
  const events = new EventEmitter()
  let silent = false
  const meet = (kind: 'request' | 'upgrade', socket: Socket) => {
    silent = true
    socket.on('error', () => undefined)
    fate!(socket)
    events.emit(kind)
  }
  const server = createServer((request, response) => {
    if (fate && request.url === '/fragile') meet('request', request.socket)
    else if (request.method !== 'HEAD' || !silent) response.end(name)
  })
  const tunnels = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (fate && request.url === '/fragile') meet('upgrade', socket as Socket)
    else tunnels.handleUpgrade(request, socket, head, (client) => client.send(name))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const client of tunnels.clients) client.terminate()
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, events }
}

/** Runs the example on a backend that is well and on one that is not. */
async function runOnTwo(t: Test, name: string, fate: Fate) {
  const robust = await startBackend(t, 'robust')
  const fragile = await startBackend(t, 'fragile', fate)
  const { url } = await runExample(t, name, { BACKENDS: `${robust.url} ${fragile.url}` })
  return { url, fragile }
}

async function namesAt(url: string, times: number): Promise<Set<string>> {
  const names = new Set<string>()
  for (let i = 0; i < times; i++) names.add((await get(url)).body)
  return names
}

/** Each ends when it failed, or led to the robust backend. */
const attempts = {
  request: async (url: string) => void (await get(`${url}/fragile`)),
  upgrade: async (url: string) => {
    await open(`${url}/fragile`).then(
      ({ client }) => client.terminate(),
      () => undefined,
    )
  },
}

/** A client without manners: it leaves with a reset and not with a FIN. */
function askForUpgrade(url: string): Socket {
  const client = connect(Number(new URL(url).port), '127.0.0.1')
  client.on('error', () => undefined)
  client.write('GET /fragile HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n')
  client.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  return client
}

for (const name of ['http-proxy', 'http-proxy-3', 'httpxy']) {
  for (const [kind, attempt] of Object.entries(attempts)) {
    t.test(`${name}: a backend that resets a ${kind} is avoided at once`, async (t) => {
      let met = false
      const { url } = await runOnTwo(t, name, (socket) => {
        met = true
        socket.resetAndDestroy()
      })
      for (let i = 0; i < 100 && !met; i++) await attempt(url)
      t.same([...(await namesAt(url, 20))], ['robust'])
      const { client, greeting } = await open(url)
      t.equal(greeting, 'robust')
      client.terminate()
    })
  }

  t.test(`${name}: a client that leaves is not held against the backend`, async (t) => {
    const { url, fragile } = await runOnTwo(t, name, () => undefined)
    const leaving = new AbortController()
    const asked = once(fragile.events, 'request')
    const requests = Array.from({ length: 20 }, () => get(`${url}/fragile`, {}, { signal: leaving.signal }))
    await asked
    leaving.abort()
    await Promise.allSettled(requests)

    const askedAgain = once(fragile.events, 'upgrade')
    const clients = Array.from({ length: 20 }, () => askForUpgrade(url))
    await askedAgain
    for (const client of clients) client.resetAndDestroy()
    await Promise.all(clients.map((client) => once(client, 'close')))
    t.same([...(await namesAt(url, 50))].sort(), ['fragile', 'robust'])
  })

  t.test(`${name}: without a backend a request and an upgrade get 503`, async (t) => {
    const { url } = await runExample(t, name, { BACKENDS: '' })
    t.equal((await get(url)).status, 503)
    await t.rejects(open(url), /503/)
  })
}
