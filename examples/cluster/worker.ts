import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { nodeName, serveNode } from '../support/serve-node.ts'

// An application that keeps something in memory: how often each of its clients has come. It knows nothing of the others.
const visits = new Map<string, number>()

const server = createServer((_request, response) => {
  response.end(`${nodeName}, process ${process.pid}\n`)
})
new WebSocketServer({ server }).on('connection', (client, request) => {
  const visitor = new URL(request.url!, 'ws://worker').searchParams.get('visitor') ?? 'somebody'
  visits.set(visitor, (visits.get(visitor) ?? 0) + 1)
  client.on('error', () => client.terminate())
  client.send(JSON.stringify({ worker: nodeName, visits: visits.get(visitor) }))
  client.on('message', (data) => client.send(data))
})

await serveNode(server)
