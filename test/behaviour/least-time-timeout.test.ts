import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { rawBackend } from '../support/backends.ts'
import { rawClient, upgradeHead } from '../support/clients.ts'

t.test('a handshake that times out counts for least-time with all the time it was given', async (t) => {
  const silent = await rawBackend(t, () => {})
  const { port, balancer } = await startBalancer(t, {
    backends: [silent.url],
    balance: 'least-time',
    websocket: { handshakeTimeout: '2s' },
  })
  t.equal(balancer.snapshot().backends[0]!.latency, null)
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.closed
  t.match(client.received, 'WSLB_HANDSHAKE_TIMEOUT')
  t.ok(balancer.snapshot().backends[0]!.latency! > 1_000)
})
