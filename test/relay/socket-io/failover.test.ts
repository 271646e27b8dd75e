import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createRelay } from '../../../lib/relay/index.ts'
import { withoutRedis } from '../../support/redis-server.ts'
import { startCluster } from '../../support/sentinel-cluster.ts'
import { connectClient, startNode } from '../../support/socket-io-servers.ts'
import { until } from '../../support/until.ts'

/** 200 broadcasts a second, by three nodes in turn. */
const BROADCASTS = 1_200
const EVERY = 5
const KILLED_AT = 300

t.test(
  'a master that is killed: no broadcast is lost, doubled or re-ordered',
  { skip: withoutRedis },
  async (t) => {
    const sentinels = await startCluster(t)
    const connectionStateRecovery = { maxDisconnectionDuration: 30_000 }
    const nodes = await Promise.all(
      ['a', 'b', 'c'].map((nodeId) => {
        const relay = createRelay({ nodeId, redis: { sentinels: sentinels.addresses, name: sentinels.name } })
        return startNode(t, relay, { server: { connectionStateRecovery } })
      }),
    )
    const pairs = await Promise.all(
      nodes.flatMap((node) =>
        ['polling', 'websocket'].map((transport) => connectClient(t, node, { transports: [transport] })),
      ),
    )
    let stall = 0
    const epochs = () => nodes.map(({ relay }) => relay.status().epoch)
    const before = epochs()
    const got = pairs.map(({ client }) => {
      const numbers: number[] = []
      let last = Infinity
      client.on('news', (number: number) => {
        stall = Math.max(stall, performance.now() - last)
        last = performance.now()
        numbers.push(number)
      })
      client.on('disconnect', () => t.fail('no client is disconnected'))
      return numbers
    })
    const begun = performance.now()
    for (let number = 0; number < BROADCASTS; number++) {
      nodes[number % nodes.length]!.io.emit('news', number)
      if (number === KILLED_AT) void sentinels.master().then((master) => master!.kill())
      await sleep(Math.max(0, begun + number * EVERY - performance.now()))
    }
    await until(() => got.every(({ length }) => length >= BROADCASTS), 'all of it', 30_000)

    t.comment(`nothing came for ${Math.round(stall)} ms`)
    epochs().forEach((epoch, index) => t.not(epoch, before[index], 'another master'))
    const first = got[0]!
    t.equal(new Set(first).size, BROADCASTS, 'nothing is lost')
    nodes.forEach((_node, index) => {
      const own = first.filter((number) => number % nodes.length === index)
      t.strictSame(
        own,
        own.toSorted((a, b) => a - b),
        `what node ${index} said, came in that order`,
      )
    })
    for (const numbers of got) t.strictSame(numbers, first, 'every client got the same, in the same order')
    const sockets = await nodes[1]!.io.fetchSockets()
    t.equal(sockets.length, pairs.length, 'and all nodes are there')
    for (const { client } of pairs) client.removeAllListeners('disconnect')
  },
)
