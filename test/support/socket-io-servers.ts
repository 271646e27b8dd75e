import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { Server, type ServerOptions, type Socket as ServerSocket } from 'socket.io'
import { type ManagerOptions, type Socket, type SocketOptions, io as connectTo } from 'socket.io-client'
import { type Relay } from '../../lib/relay/index.ts'
import { type AdapterOptions, createAdapter } from '../../lib/relay/socket-io/index.ts'
import { type Scope } from './balancer.ts'
import { until } from './until.ts'

/** A Socket.IO server with the adapter. */
export interface Node {
  readonly io: Server
  readonly relay: Relay
  readonly url: string
}

/** A client, and the socket it has on its server. */
export interface Pair {
  readonly client: Socket
  readonly socket: ServerSocket
}

export interface NodeOptions {
  readonly adapter?: AdapterOptions
  readonly server?: Partial<ServerOptions>
}

/** Ready when the others wait for its answers. */
export async function startNode(
  t: Scope,
  relay: Relay,
  { adapter, server }: NodeOptions = {},
): Promise<Node> {
  const http = createServer()
  const io = new Server(http, { ...server, adapter: createAdapter(relay, adapter) })
  t.teardown(async () => {
    await io.close()
    await relay.close()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  await isJoined(io.of('/'), relay)
  return { io, relay, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }
}

/** Settles when the namespace of this server is among those that are waited for. */
export async function isJoined(
  { name }: { readonly name: string },
  relay: Relay,
  prefix = 'socket.io',
): Promise<void> {
  const room = relay.presence(`${prefix}${name}`)
  let nodes: string[] = []
  const look = async () => (nodes = (await room.list()).map(({ nodeId }) => nodeId))
  await until(() => (void look(), nodes.includes(relay.nodeId)), `${name} to be joined`)
}

export async function connectClient(
  t: Scope,
  { io, url }: Node,
  { namespace = '/', ...options }: Partial<ManagerOptions & SocketOptions> & { namespace?: string } = {},
): Promise<Pair> {
  const arrived = new Promise<ServerSocket>((resolve) => io.of(namespace).once('connection', resolve))
  const client = connectTo(`${url}${namespace}`, { forceNew: true, reconnectionDelay: 20, ...options })
  t.teardown(() => client.disconnect())
  await new Promise<void>((resolve) => client.once('connect', resolve))
  return { client, socket: await arrived }
}

/** What a client hears of an event, in order: its first argument each time. */
export function heard(client: Socket, event: string): unknown[] {
  const got: unknown[] = []
  client.on(event, (value: unknown) => got.push(value))
  return got
}
