// The one backend: a short page over HTTP, an echo over WebSocket.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { port } from './child.mjs'

const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) =>
  response.end('Hello, world!'),
)
const echo = new WebSocketServer({ server, perMessageDeflate: false })
echo.on('connection', (socket) =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)
server.listen(port, '127.0.0.1')
