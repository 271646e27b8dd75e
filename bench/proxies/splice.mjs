// The least that a proxy in Node can do for a WebSocket: the handshake is relayed, then bytes are passed on with
// back-pressure and nothing else. What wslb costs beyond it is the price of knowing about frames.
import { createServer, request } from 'node:http'
import { backendPort, port } from './child.mjs'

const server = createServer((_request, response) => response.writeHead(404).end())
server.on('upgrade', ({ url, headers }, client, head) => {
  const outgoing = request({ host: '127.0.0.1', port: backendPort, path: url, headers, agent: false })
  outgoing.on('upgrade', ({ rawHeaders }, upstream, upstreamHead) => {
    const fields = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`)
    client.write(upstreamHead)
    upstream.write(head)
    pass(client, upstream)
    pass(upstream, client)
  })
  outgoing.on('error', () => client.destroy())
  client.on('error', () => outgoing.destroy())
  outgoing.end()
})
server.listen(port, '127.0.0.1')

function pass(from, to) {
  from.setNoDelay(true)
  from.on('data', (chunk) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}
