import t from 'tap'
import { rawBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { rawTunnel } from '../support/clients.ts'

// A closing handshake that one side begins and the other, which hangs, never ends.

const CLOSE = { client: [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8], backend: [0x88, 2, 3, 0xe8] }
/** What the closing handshake and the linger after it may take together, and some for a slow machine. */
const BOUND = 60_000

// They wait, for most of the time.
t.jobs = 4

t.test(
  'our own Close: a client that half-closes, and a backend that goes on for ever, are let go in time',
  { buffered: true },
  async (t) => {
    const backend = await rawBackend(t)
    const { port, balancer, next } = await startBalancer(t, {
      backends: [backend.url],
      websocket: { closeTimeout: '2s' },
    })
    const { client, upstream } = await rawTunnel(t, port, backend)
    const talk = setInterval(() => upstream.socket.write(Buffer.from([0x82, 1, 0x21])), 20)
    t.teardown(() => clearInterval(talk))
    const closed = next('tunnel:close')
    balancer.closeTunnel(balancer.snapshot().tunnels[0]!.id, { code: 4000, reason: 'enough' })
    client.socket.end()
    const { duration, ...end } = await closed
    t.match(end, { closedBy: 'balancer', closeCode: 4000 })
    t.ok(duration < BOUND, `after ${Math.round(duration)} ms of the balancer`)
  },
)

for (const first of ['client', 'backend'] as const) {
  const cases: [name: string, bytes: number[], closeCode: number][] = [
    ['a Close', CLOSE[first], 1000],
    ['the first byte of a Close', [0x88], 1006],
  ]
  for (const [name, bytes, closeCode] of cases) {
    t.test(
      `${name} from the ${first}, and nothing from the other: both are let go in time`,
      { buffered: true },
      async (t) => {
        const backend = await rawBackend(t)
        const { port, balancer, next } = await startBalancer(t, { backends: [backend.url] })
        const { client, upstream } = await rawTunnel(t, port, backend)
        const closed = next('tunnel:close')
        if (first === 'client') client.send(Buffer.from(bytes))
        else upstream.socket.write(Buffer.from(bytes))
        const { duration, ...end } = await closed
        t.match(end, { closedBy: first, cause: 'normal', closeCode, error: undefined })
        t.ok(duration >= 29_000 && duration < BOUND, `after ${Math.round(duration)} ms of the balancer`)
        t.match(balancer.snapshot().backends[0], { tunnels: 0, load: 0, failures: 0 })
        await client.closed
      },
    )
  }
}
