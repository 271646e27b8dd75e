// How do I use wslb's choice, stickiness and health with http-proxy? `pick` chooses, the proxy forwards.
import { type IncomingMessage, createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import httpProxy from 'http-proxy'
import { type Choice, createBalancer, WslbError } from 'wslb'
import { startBackends } from './support/backends.ts'

const balancer = createBalancer({
  backends: await startBackends('red', 'blue'),
  health: { interval: '1s', debounce: '2s' },
})

const proxy = httpProxy.createProxyServer()
/** Chosen, and not answered yet. */
const pending = new WeakMap<IncomingMessage, Choice>()

/** The backend is ours until the client has what it wanted. @returns its url */
function pick(req: IncomingMessage, closing: NodeJS.EventEmitter): string {
  const choice = balancer.pick(req)
  pending.set(req, choice)
  closing.once('close', () => choice.release())
  return choice.backend.url
}

/** Stickiness: our cookie goes beside the backend's own, on a response and on a 101 alike. */
function answered(req: IncomingMessage, { headers }: IncomingMessage): void {
  const cookies = pending.get(req)?.headers['set-cookie']
  pending.delete(req)
  if (cookies) headers['set-cookie'] = [...(headers['set-cookie'] ?? []), ...cookies]
}
proxy.on('proxyRes', (answer, req) => answered(req, answer))
proxy.on('proxyReqWs', (proxyReq, req) => proxyReq.on('upgrade', (answer) => answered(req, answer)))

// Passive health: a backend that failed before it answered is suspect. A client that left is not its fault.
proxy.on('error', (error, req, res) => {
  if (req && !req.socket.destroyed) pending.get(req)?.release(error)
  if (res && 'writeHead' in res && !res.headersSent) res.writeHead(502).end('bad gateway\n')
  else res?.destroy()
})

function statusOf(error: unknown): number {
  return (error instanceof WslbError && error.status) || 500
}

const server = createServer((req, res) => {
  try {
    proxy.web(req, res, { target: pick(req, res) })
  } catch (error) {
    res.writeHead(statusOf(error)).end(`${String(error)}\n`) // 503: no backend is there
  }
})
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy()) // the proxy listens only once the backend has answered
  try {
    proxy.ws(req, socket, head, { target: pick(req, socket) })
  } catch (error) {
    socket.end(`HTTP/1.1 ${statusOf(error)} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  console.log('The same backend each time: curl -c jar -b jar URL. Without the jar: any.')
})
