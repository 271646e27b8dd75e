import { once } from 'node:events'
import t from 'tap'
import { wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { rawClient, upgradeHead, wsClient } from '../support/clients.ts'

// Idle is a tunnel without a message; who is pinged and answers is alive, and idle all the same.

t.jobs = 4

t.test('Pings that are answered keep no idle tunnel open', { buffered: true }, async (t) => {
  const backend = await wsBackend(t)
  const { url, next } = await startBalancer(t, {
    backends: [backend.url],
    websocket: { ping: '1s', idleTimeout: '8s' },
  })
  const client = await wsClient(t, url)
  let pings = 0
  client.on('ping', () => pings++)
  const closed = next('tunnel:close')
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  t.same([code, String(reason)], [1001, 'idle timeout'])
  t.match(await closed, { closedBy: 'balancer', cause: 'idle', closeCode: 1001, messagesIn: 0 })
  t.ok(pings > 1, `${pings} Pings`)
})

/** What a client does again and again, by what makes its tunnel busy. */
const busy: Record<string, { first: Buffer; again: Buffer }> = {
  'messages in one direction': {
    first: Buffer.alloc(0),
    again: Buffer.from([0x81, 0x81, 0, 0, 0, 0, 97]),
  },
  'one long frame under way': {
    first: Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    again: Buffer.from('a little of it'),
  },
  'one long message in many fragments': {
    first: Buffer.from([0x01, 0x81, 0, 0, 0, 0, 97]),
    again: Buffer.from([0x00, 0x81, 0, 0, 0, 0, 97]),
  },
}

for (const [name, { first, again }] of Object.entries(busy)) {
  t.test(`a tunnel is not idle: ${name}`, { buffered: true }, async (t) => {
    const backend = await wsBackend(t, () => {})
    const { port, balancer, next } = await startBalancer(t, {
      backends: [backend.url],
      websocket: { ping: false, idleTimeout: '12s' },
    })
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has('\r\n\r\n')
    const closed = next('tunnel:close')
    client.send(first)
    // Twice the idle time.
    for (const end = performance.now() + 1_200; performance.now() < end;) {
      client.send(again)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    t.equal(balancer.snapshot().backends[0]!.tunnels, 1)
    // And then it is.
    t.match(await closed, { cause: 'idle' })
  })
}
