// How do I put wslb into an Express app, beside its own routes and its own WebSocket endpoint?
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import express from 'express'
import { WebSocketServer } from 'ws'
import { createBalancer } from 'wslb'
import { startBackends } from './support/backends.ts'

const balancer = createBalancer({
  pools: { chat: { backends: await startBackends('red', 'blue') } },
  routes: [{ path: '/chat/*', pool: 'chat' }],
})

const app = express()
app.use(balancer.handleRequest) // before body parsers: a body that was read here can't be forwarded
app.get('/hello', (_req, res) => void res.send('hello from Express\n'))

const server = createServer(app)
const ownEndpoint = new WebSocketServer({ noServer: true })
ownEndpoint.on('connection', (client) => client.send('hello from Express'))
server.on('upgrade', (req, socket, head) => {
  if (balancer.handleUpgrade(req, socket, head)) return
  if (req.url === '/own')
    ownEndpoint.handleUpgrade(req, socket, head, (client) => ownEndpoint.emit('connection', client))
  else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
})

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  console.log('Balanced: /chat, over HTTP and WebSocket. From Express: /hello, and /own over WebSocket.')
})
