import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { type Balancer, type Config, createBalancer } from '../../lib/index.ts'
import { type TestBackend, wsBackend } from './backends.ts'
import { type Scope } from './balancer.ts'
import { ask, textOf } from './clients.ts'

/** Says the path it was asked for, over HTTP and over WebSocket. */
export async function mirror(t: Scope): Promise<TestBackend> {
  const backend = await wsBackend(t, () => {})
  backend.server.removeAllListeners('request')
  backend.server.on('request', (request, response) => {
    void textOf(request).then((body) => response.end(`${request.method} ${request.url} ${body}`))
  })
  const server = new WebSocketServer({ noServer: true })
  backend.server.removeAllListeners('upgrade')
  backend.server.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (client) => client.send(`backend ${request.url}`))
  })
  return backend
}

export async function listen(t: Scope, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A balancer for `/chat` that opens no listener. */
export async function chatOnly(t: Scope, more: Config = {}) {
  const backend = await mirror(t)
  const chat = { backends: [backend.url], health: false as const }
  const balancer = createBalancer({ pools: { chat }, routes: [{ path: '/chat/*', pool: 'chat' }], ...more })
  t.teardown(() => balancer.close())
  return { balancer, backend }
}

/** @returns the first message, which may come together with the 101 */
export async function greeting(t: Scope, url: string): Promise<string> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), { rejectUnauthorized: false })
  t.teardown(() => client.terminate())
  const [first] = (await once(client, 'message')) as [Buffer]
  client.close()
  await once(client, 'close')
  return String(first)
}

/** What `pick` throws for a request with this path, in a server of one's own. */
export async function thrownByPick(t: Scope, balancer: Balancer, path: string): Promise<unknown[]> {
  const thrown: unknown[] = []
  const server = createServer((request, response) => {
    try {
      balancer.pick(request)
    } catch (error) {
      thrown.push(error)
    }
    response.end()
  })
  await ask(`http://${await listen(t, server)}${path}`)
  return thrown
}
