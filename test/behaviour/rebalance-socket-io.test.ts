import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { type App, socketIoApp } from '../support/apps.ts'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { type Client, type Transport, connect } from '../support/socket-io.ts'
import { until } from '../support/until.ts'

/** Outside a browser, a client forgets its cookies when it connects anew. */
function keepCookies({ socket: { io } }: Client): void {
  const headers: { cookie?: string } = {}
  io.opts.extraHeaders = headers
  const jar = () =>
    (io.engine as unknown as { _cookieJar: { cookies: Iterable<[string, { value: string }]> } })._cookieJar
  const keep = () => {
    const [cookie] = jar().cookies
    if (cookie) headers.cookie = `${cookie[0]}=${cookie[1].value}`
  }
  io.on('close', keep)
  // From here on the jar has it.
  io.on('open', () => [...jar().cookies].length > 0 && delete headers.cookie)
  keep()
}

/** @returns the server that answered */
async function echo({ socket }: Client): Promise<string> {
  const { server } = (await socket.timeout(5_000).emitWithAck('echo')) as { server: string }
  return server
}

t.test('Socket.IO clients move, by polling first and then upgrade, and no session is lost', async (t) => {
  const [red, blue, green] = await Promise.all(['red', 'blue', 'green'].map((id) => socketIoApp(t, id)))
  const config = (...apps: App[]) => ({
    listen: { port: 0, host: '127.0.0.1' },
    health: false as const,
    balance: inTurn(),
    rebalance: { perMinute: 3_000, minAge: 0, tolerance: 1e9 },
    backends: apps.map(({ id, url }) => ({ id, url })),
  })
  const { balancer, url } = await startBalancer(t, config(red!, blue!), { clock: systemClock })
  const several = (count: number, transports: Transport[]) =>
    Promise.all(Array.from({ length: count }, () => connect(t, url, transports)))
  const clients = await several(24, ['polling', 'websocket'])
  const polling = await several(6, ['polling'])
  clients.forEach(keepCookies)
  const tunnels = () => balancer.snapshot().backends.map(({ tunnels }) => tunnels)
  const haveWebSockets = () => clients.every(({ socket }) => socket.io.engine?.transport.name === 'websocket')
  await until(haveWebSockets, 'every client to have a WebSocket')
  t.same(tunnels(), [12, 12])

  let over = false
  const talk = Promise.all(
    polling.map(async (client) => {
      while (!over) {
        await echo(client)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }),
  )
  await balancer.reload(config(red!, blue!, green!))
  t.same(await balancer.rebalance(), { closed: 8 })
  const moved = () => clients.filter(({ servers }) => servers.length > 1)
  await until(() => moved().length === 8 && haveWebSockets(), 'the moved ones to be back')
  t.same(tunnels(), [8, 8, 8])
  t.ok(
    moved().every(({ servers }) => servers.length === 2 && servers[1] === 'green'),
    'by the new server',
  )
  t.same(
    moved().map(({ troubles }) => troubles),
    moved().map(() => ['transport close']),
    'after a close, and without an error',
  )
  const others = [...polling, ...clients.filter((client) => !moved().includes(client))]
  t.same(
    others.flatMap(({ troubles }) => troubles),
    [],
    'the others notice nothing',
  )
  over = true
  await talk
  const everybody = [...clients, ...polling]
  t.same(
    await Promise.all(everybody.map(echo)),
    everybody.map(({ servers }) => servers.at(-1)),
  )
})
