import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { serve } from './child.ts'

/** A process with one Socket.IO server: it says its name, and acknowledges whatever it is told. */

async function start({ name, port }: { name: string; port: number }): Promise<number> {
  const server = createServer((_request, response) => response.end('well'))
  const io = new Server(server)
  io.on('connection', (socket) => {
    socket.emit('welcome', name)
    socket.on('say', (_message: string, acknowledge: () => void) => acknowledge())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const verbs = { start }

export type SocketIoServer = typeof verbs

serve(verbs)
