// How do I put wslb into a node:http server that has routes and a WebSocket endpoint of its own?
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import { createBalancer } from 'wslb'
import { startBackends } from './support/backends.ts'

const balancer = createBalancer({
  pools: { chat: { backends: await startBackends('red', 'blue') } },
  routes: [{ path: '/chat/*', pool: 'chat' }],
})

// A path without a route goes to the third argument; without one it would get 404.
const server = createServer((req, res) => {
  balancer.handleRequest(req, res, () => {
    if (req.url === '/hello') res.end('hello from the server itself\n')
    else res.writeHead(404).end('not found\n')
  })
})

const ownEndpoint = new WebSocketServer({ noServer: true })
ownEndpoint.on('connection', (client) => client.send('hello from the server itself'))
server.on('upgrade', (req, socket, head) => {
  if (balancer.handleUpgrade(req, socket, head)) return
  if (req.url === '/own')
    ownEndpoint.handleUpgrade(req, socket, head, (client) => ownEndpoint.emit('connection', client))
  else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
})

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  console.log('Balanced: /chat, over HTTP and WebSocket. Its own: /hello, and /own over WebSocket.')
})

// The library leaves signals to you. What is open has a second to end by itself.
process.once('SIGTERM', () => {
  server.close()
  void balancer.close({ drain: '1s' }).then(() => process.exit())
})
