import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { createClient } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { mortal } from '../support/apps.ts'
import { startBalancer } from '../support/balancer.ts'
import { wsBackend } from '../support/backends.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { crowd, tally, trio } from './harness.ts'

// A session of these is one WebSocket: no stickiness is needed, and a cookie only brings back who reconnects.

const CLIENTS = 30
const TICKS = ['0', '1', '2', '3', '4']

/** One subscription that says who serves it, and counts. */
async function graphQlServer(t: Test, id: string) {
  const { server, url, die } = await mortal(t)
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { server: { type: GraphQLString } } }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        tick: {
          type: GraphQLString,
          async *subscribe() {
            for (const tick of [id, ...TICKS]) yield { tick }
          },
        },
      },
    }),
  })
  useServer({ schema }, new WebSocketServer({ server }))
  return { id, url, die }
}

t.test(
  'graphql-ws needs no stickiness: a subscription stays where it is, and begins again elsewhere',
  async (t) => {
    const { url, servers, refused } = await trio(
      t,
      (t, id) => graphQlServer(t as Test, id),
      () => ({ sticky: false }),
    )
    let left = 0
    const clients = Array.from({ length: CLIENTS }, () =>
      createClient({
        url: url.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        lazy: false,
        retryAttempts: 20,
        retryWait: async () => {},
        shouldRetry: () => true,
        on: { closed: () => left++ },
      }),
    )
    t.teardown(() => {
      for (const client of clients) void client.dispose()
    })
    const subscribe = () =>
      crowd(CLIENTS, async (index) => {
        const ticks: unknown[] = []
        for await (const { data } of clients[index]!.iterate({ query: 'subscription { tick }' }))
          ticks.push(data?.tick)
        t.strictSame(ticks.slice(1), TICKS)
        return String(ticks[0])
      })
    const before = tally(await subscribe())
    t.strictSame(Object.keys(before).sort(), ['blue', 'green', 'red'])
    servers[0]!.die()
    await until(() => left === before.red, 'the clients of the dead one to notice')
    t.notMatch(Object.keys(tally(await subscribe())), ['red'])
    t.strictSame(refused, [])
  },
)

t.test('ws without a cookie is spread anew each time, with one it comes back to its server', async (t) => {
  const names = ['red', 'blue', 'green']
  const backends = await Promise.all(
    names.map(async (id) => ({ id, url: (await wsBackend(t, (socket) => socket.send(id))).url })),
  )
  for (const sticky of [false, 'cookie'] as const) {
    const { url } = await startBalancer(
      t,
      { backends, balance: 'random', sticky },
      { random: seededRandom(3) },
    )
    /** @returns who greets it, and the cookie it has then */
    const visit = async (cookie: string | undefined) => {
      const client = new WebSocket(url.replace('http', 'ws'), { headers: cookie ? { cookie } : {} })
      const upgraded = once(client, 'upgrade') as Promise<[IncomingMessage]>
      const [server] = (await once(client, 'message')) as [Buffer]
      const [{ headers }] = await upgraded
      client.close()
      return { server: String(server), cookie: headers['set-cookie']?.[0]?.split(';')[0] ?? cookie }
    }
    const first = await crowd(CLIENTS, () => visit(undefined))
    const second = await crowd(CLIENTS, (index) => visit(first[index]!.cookie))
    t.strictSame(Object.keys(tally(first.map(({ server }) => server))).sort(), ['blue', 'green', 'red'])
    const came = first.filter(({ server }, index) => server === second[index]!.server).length
    if (sticky) t.equal(came, CLIENTS)
    else t.ok(came < CLIENTS * 0.7, `${came} came back by chance`)
  }
})
