import { createServer } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import t from 'tap'
import { createRelay } from '../../lib/relay/index.ts'

t.test('GET /relay/health, and nothing else', async (t) => {
  const relay = createRelay({ nodeId: 'node-1' })
  const server = createServer((request, response) => {
    if (!relay.handleHealth(request, response)) response.writeHead(404).end('not the relay')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const ask = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { method })
  await relay.ready()
  const answer = await ask('/relay/health')
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'application/json')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const { epoch } = relay.status()
  t.match(await answer.json(), {
    nodeId: 'node-1',
    state: 'ready',
    master: 'memory',
    epoch,
    epochsInUseByPeers: { [epoch!]: 1 },
    outbox: { messages: 0, bytes: 0 },
  })
  t.equal((await ask('/relay/health?ready')).status, 200)
  const head = await ask('/relay/health', 'HEAD')
  t.same([head.status, await head.text()], [200, ''])
  t.ok(Number(head.headers.get('content-length')) > 100)
  const post = await ask('/relay/health', 'POST')
  t.same([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  for (const path of ['/', '/relay/healthy', '/relay/health/', '/RELAY/HEALTH'])
    t.equal((await ask(path)).status, 404, path)
  await relay.close()
  t.match([await ask('/relay/health'), await ask('/relay/health?ready')], [{ status: 503 }, { status: 503 }])
})

t.test('a node without its Redis is alive, and not ready', async (t) => {
  // Nobody listens there.
  const relay = createRelay({ redis: { url: 'redis://127.0.0.1:1' } })
  t.teardown(() => relay.close())
  const statusOf = (url: string) => {
    let status = 0
    const response = { writeHead: (code: number) => ((status = code), response), end() {} }
    t.ok(relay.handleHealth({ url, method: 'GET' } as never, response as never))
    return status
  }
  t.equal(statusOf('/relay/health'), 200)
  t.equal(statusOf('/relay/health?ready'), 503)
  t.equal(relay.status().state, 'connecting')
})
