import { createServer } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { createRelay } from 'wslb/relay'
import { nodeName, serveNode } from '../support/serve-node.ts'

const relay = createRelay({ redis: { url: process.env.REDIS_URL! }, nodeId: nodeName })
const clients = new Map<string, WebSocket>()

// The usual way: every node hears everything, and throws away what is for clients of others.
const everything = relay.subscribe('everyone', ({ data }) => {
  const { to } = data as { to: string }
  clients.get(to)?.send(JSON.stringify({ data }))
})

const server = createServer((_request, response) => response.end(`${nodeName}\n`))
new WebSocketServer({ server }).on('connection', (socket, request) => {
  const clientId = new URL(request.url!, 'ws://node').searchParams.get('client')!
  socket.on('error', () => socket.terminate())
  socket.on('close', () => clients.delete(clientId))
  clients.set(clientId, socket)
  // The targeted way: what is sent to this client by `relay.sendTo(clientId, …)`, on whatever node, comes to this socket.
  relay.attach(socket, { clientId })
  socket.send(JSON.stringify({ node: nodeName }))
})

await everything.ready
await serveNode(server, () => relay.close())
