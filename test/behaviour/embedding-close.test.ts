import { type IncomingMessage, createServer } from 'node:http'
import t from 'tap'
import { type Config, createBalancer } from '../../lib/index.ts'
import { rawBackend } from '../support/backends.ts'
import { type Scope, inTurn } from '../support/balancer.ts'
import { ask, rawClient, upgradeHead } from '../support/clients.ts'
import { chatOnly, listen } from '../support/embedding.ts'
import { until } from '../support/until.ts'

// The end of a balancer inside a server that lives on.

/** A balancer in a server, and one request under way on a backend that does not answer yet. */
async function running(t: Scope) {
  const [slow, other] = [await rawBackend(t), await rawBackend(t)]
  const config = {
    backends: [
      { id: 'slow', url: slow.url },
      { id: 'other', url: other.url },
    ],
    balance: inTurn(),
    health: false,
  } satisfies Config
  const balancer = createBalancer(config)
  t.teardown(() => balancer.close())
  const url = `http://${await listen(t, createServer(balancer.handleRequest))}`
  const done = new Promise<object>((resolve) => balancer.once('request:done', resolve))
  const answer = ask(url).catch((error: Error) => error)
  const upstream = await slow.connection(0)
  await upstream.has('\r\n\r\n')
  return { balancer, config, slow, other, url, answer, done, upstream }
}

t.test('after close requests and upgrades get 503, and pick throws', async (t) => {
  const { balancer, backend } = await chatOnly(t)
  const messages: IncomingMessage[] = []
  const server = createServer((request, response) => {
    messages.push(request)
    balancer.handleRequest(request, response)
  }).on('upgrade', balancer.handleUpgrade)
  const address = await listen(t, server)
  t.equal((await ask(`http://${address}/chat`)).status, 200)
  await balancer.close()
  const { total } = backend
  t.match(await ask(`http://${address}/chat`), {
    status: 503,
    body: /WSLB_CLOSED/,
    headers: { 'retry-after': '1', connection: 'close' },
  })
  const client = await rawClient(t, Number(address.split(':')[1]))
  client.send(upgradeHead({}, 'GET /chat HTTP/1.1'))
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 503 [^]*WSLB_CLOSED/)
  t.throws(() => balancer.pick(messages[0]!), { code: 'WSLB_CLOSED' })
  t.equal(backend.total, total, 'nothing was dialled')
})

t.test('a request that runs at close is refused, and blamed on no backend', async (t) => {
  const { balancer, answer, done, other } = await running(t)
  await balancer.close()
  t.match(await answer, { status: 503, body: /WSLB_CLOSED/ })
  t.match(await done, { status: 503, error: { code: 'WSLB_CLOSED', blame: 'internal' } })
  t.match(balancer.snapshot().backends, [
    { failures: 0, load: 0 },
    { failures: 0, load: 0 },
  ])
  t.equal(other.total, 0, 'nobody else is dialled')
})

t.test('a request on a backend that a reload has removed is waited for by close({ drain })', async (t) => {
  const { balancer, config, answer, upstream } = await running(t)
  await balancer.reload({ ...config, backends: config.backends.slice(1) })
  let over = false
  const closed = balancer.close({ drain: '1h' }).then(() => (over = true))
  await new Promise((resolve) => setTimeout(resolve, 100)) // several looks at what is left
  t.equal(over, false)
  upstream.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  t.match(await answer, { status: 200, body: 'ok' })
  await closed
})

t.test('a request on a backend that a reload has removed is cut by close', async (t) => {
  const { balancer, config, slow, answer, done } = await running(t)
  await balancer.reload({ ...config, backends: config.backends.slice(1) })
  await balancer.close()
  t.match(await answer, { status: 503 })
  t.match(await done, { error: { code: 'WSLB_CLOSED' } })
  await until(() => slow.open === 0, 'its connection to be closed')
})
