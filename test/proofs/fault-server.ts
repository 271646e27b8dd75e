import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, type Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { serve } from './child.ts'

/** A process with one backend in it that can be made to fail. It says its name, and WebSockets say everything back. */

const server = createServer()
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
const connections = new Set<Socket>()
let delay = 0

async function start({ name, port }: { name: string; port: number }): Promise<{ port: number }> {
  server.on('connection', (socket: Socket) => {
    connections.add(socket.on('close', () => connections.delete(socket)))
  })
  server.on('request', (request, response) => {
    request.resume()
    setTimeout(() => response.end(name), delay)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head) => {
    setTimeout(() => {
      if (!socket.destroyed) sockets.handleUpgrade(request, socket, head, (client) => greet(client, name))
    }, delay)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port }
}

function greet(client: WebSocket, name: string): void {
  client.on('message', (data) => client.send(data, { binary: false }))
  client.on('error', () => {})
  client.send(name)
}

const verbs = {
  start,
  /** Every answer comes that many milliseconds late. */
  slow: (milliseconds: number) => void (delay = milliseconds),
  /** As a process that has died: connections are reset, new ones refused. */
  refuse: () => {
    server.close()
    for (const socket of connections) socket.resetAndDestroy()
  },
  /** As one that is back. */
  accept: async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  },
}

export type FaultServer = typeof verbs

serve(verbs)
