import { HttpTransportType, type HubConnection } from '@microsoft/signalr'
import t, { type Test } from 'tap'
import { until } from '../support/until.ts'
import { crowd, tally, trio } from './harness.ts'
import { connectSignalR } from './signalr-client.ts'
import { signalRServer } from './signalr-server.ts'

// The client is Microsoft's, the servers are our own after the specification: see signalr-server.ts.

const CLIENTS = 36
const MESSAGES = 10

const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType
const transports = { WebSockets, ServerSentEvents, LongPolling }

/**
 * A client does not wait for its last message to be taken before it leaves, so that may find the connection gone; but on
 * the server that negotiated it, whose name is in the token.
 */
const strayed = (line: string) => !/id=(\w+)-.* on \1$/.test(line)

/** Settles with what the stream has given. */
function streamed(connection: HubConnection, to: number): Promise<number[]> {
  const items: number[] = []
  return new Promise((resolve, reject) => {
    connection.stream<number>('count', to).subscribe({
      next: (item) => items.push(item),
      error: reject,
      complete: () => resolve(items),
    })
  })
}

async function start(t: Test, transport: HttpTransportType) {
  const stage = await trio(t, signalRServer, () => ({ sticky: 'signalr' }))
  const clients = await crowd(CLIENTS, () => connectSignalR(t, stage.url, transport))
  return {
    ...stage,
    clients,
    whoAreThey: () => Promise.all(clients.map((client) => client.invoke<string>('whoAreYou'))),
  }
}

for (const [name, transport] of Object.entries(transports)) {
  t.test(
    `SignalR over ${name}: every request of a connection reaches the server that negotiated it`,
    async (t) => {
      const stage = await start(t, transport)
      const { clients, ledger, refused, whoAreThey } = stage
      const before = await whoAreThey()
      t.strictSame(Object.keys(tally(before)).sort(), ['blue', 'green', 'red'])
      const talk = clients.map(async (client, index) => {
        for (let number = 0; number < MESSAGES; number++) {
          ledger.received(`client ${index}`, await client.invoke<number>('echo', number))
          if (index === 0 && number === 3) await stage.reload()
        }
        t.strictSame(await streamed(client, 5), [0, 1, 2, 3, 4])
      })
      await Promise.all(talk)
      t.strictSame(await whoAreThey(), before)
      t.strictSame(ledger.errors, [])
      t.strictSame(refused, [])
      await Promise.all(clients.map((client) => client.stop()))
      t.strictSame(refused.filter(strayed), [], 'good-byes, too')
    },
  )

  t.test(`SignalR over ${name}: the clients of a killed server negotiate with another`, async (t) => {
    const { clients, servers, whoAreThey } = await start(t, transport)
    const before = await whoAreThey()
    let back = 0
    for (const client of clients) client.onreconnected(() => back++)
    servers[0]!.die()
    const lost = before.filter((name) => name === 'red').length
    await until(() => back === lost, `${lost} clients to come back`, 20_000)
    const after = await whoAreThey()
    t.notMatch(after, ['red'])
    t.ok(
      before.every((name, index) => name === 'red' || after[index] === name),
      'nobody else has moved',
    )
    await Promise.all(clients.map((client) => client.stop()))
  })
}

t.test('without stickiness a server is asked for connections of others, and answers 404', async (t) => {
  const { url, refused } = await trio(t, signalRServer, () => ({ sticky: false }))
  const opened = await Promise.allSettled(
    Array.from({ length: 12 }, () => connectSignalR(t, url, LongPolling).then((client) => client.stop())),
  )
  t.ok(opened.some(({ status }) => status === 'rejected'))
  t.ok(refused.some((line) => line.startsWith('404 ')))
})
