import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { createRelay } from 'wslb/relay'
import { createAdapter } from 'wslb/relay/socket.io'
import { nodeName, serveNode } from '../support/serve-node.ts'

// One of several Socket.IO servers. The relay joins them: io.emit() reaches the clients of all.
const relay = createRelay({ redis: { url: process.env.REDIS! } })
const server = createServer((_request, response) => response.end(nodeName))
const io = new Server(server, {
  adapter: createAdapter(relay),
  connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
})

io.on('connection', (socket) => {
  if (!socket.recovered) void socket.join('lobby')
  socket.emit('welcome', nodeName)
  socket.on('say', (text: string) => io.to('lobby').emit('said', text))
})

await relay.ready()
await serveNode(server, () => io.close().then(() => relay.close({ drainMs: 1_000 })))
