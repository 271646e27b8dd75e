import { createServer } from 'node:http'
import sockjs, { type Connection } from 'sockjs'
import { nodeName, serveNode } from '../support/serve-node.ts'
import { broadcast as overPubSub } from './over-pub-sub.ts'
import { broadcast as overRelay } from './over-relay.ts'
import { PAGE, SCRIPT } from './page.ts'

const broadcast = process.env.OVER === 'pub-sub' ? overPubSub : overRelay

// An ordinary SockJS server. What one of its clients says goes to all nodes, and from each to the clients that it has.
const clients = new Set<Connection>()
const room = await broadcast(process.env.REDIS_URL!, (text) => {
  for (const client of clients) client.write(text)
})

const chat = sockjs.createServer({ log: () => {} })
chat.on('connection', (client) => {
  clients.add(client)
  client.write(JSON.stringify({ welcome: nodeName }))
  client.on('data', (text) => {
    room.say(JSON.stringify({ from: nodeName, text })).catch(() => {}) // it is stopped
  })
  client.on('close', () => clients.delete(client))
})

const server = createServer(({ url }, response) => {
  if (url === '/sockjs.js') response.writeHead(200, { 'content-type': 'text/javascript' }).end(SCRIPT)
  else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE)
})
chat.installHandlers(server, { prefix: '/chat' })
await serveNode(server, () => room.close())
