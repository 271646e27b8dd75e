import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { createRelay } from 'wslb/relay'
import { nodeName, serveNode, tell } from '../support/serve-node.ts'

const relay = createRelay({
  redis: { sentinels: JSON.parse(process.env.SENTINELS!) as { host: string; port: number }[] },
  nodeId: nodeName,
  lease: { ms: 800 }, // shorter than by default, so that one waits less while one looks on
})

const server = createServer((_request, response) => response.end(`${nodeName}\n`))
new WebSocketServer({ server }).on('connection', (socket, request) => {
  const query = new URL(request.url!, 'ws://node').searchParams
  const client = query.get('client')!
  socket.on('error', () => socket.terminate())
  const attachment = relay.attach(socket, { clientId: client, resume: query.get('resume') })
  if (query.has('listen')) attachment.subscribe('ticker').catch(() => {}) // it has left
  // What a client says has a number, and with its name that is the id: said twice, it is appended once.
  socket.on('message', (data: Buffer) => {
    const number = Number(data)
    const published = relay.publish('ticker', { from: client, number }, { id: `${client}:${number}` })
    published.then(
      () => socket.send(JSON.stringify({ safe: number })),
      () => {}, // it is stopped; the client says it again elsewhere
    )
  })
})

await relay.ready()
await serveNode(server, () => relay.close())
setInterval(() => tell({ status: relay.status() }), 100)
