// How do I put wslb into a Fastify app, beside its own routes and its own WebSocket endpoint?
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { WebSocketServer } from 'ws'
import { createBalancer } from 'wslb'
import { startBackends } from './support/backends.ts'

const balancer = createBalancer({
  pools: { chat: { backends: await startBackends('red', 'blue') } },
  routes: [{ path: '/chat/*', pool: 'chat' }],
})

// In front of Fastify and not as a route of it: Fastify reads the body of a request before it calls the route.
const app = Fastify({
  serverFactory: (fastify) =>
    createServer((req, res) => balancer.handleRequest(req, res, () => fastify(req, res))),
})
app.get('/hello', () => 'hello from Fastify\n')

const ownEndpoint = new WebSocketServer({ noServer: true })
ownEndpoint.on('connection', (client) => client.send('hello from Fastify'))
app.server.on('upgrade', (req, socket, head) => {
  if (balancer.handleUpgrade(req, socket, head)) return
  if (req.url === '/own')
    ownEndpoint.handleUpgrade(req, socket, head, (client) => ownEndpoint.emit('connection', client))
  else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
})

await app.listen({ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' })
console.log(`ready http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
console.log('Balanced: /chat, over HTTP and WebSocket. From Fastify: /hello, and /own over WebSocket.')
