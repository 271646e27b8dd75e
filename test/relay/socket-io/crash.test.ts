import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createRelay } from '../../../lib/relay/index.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { connectClient, heard, startNode } from '../../support/socket-io-servers.ts'
import { NODE_ARGS, runnable } from '../../support/tree.ts'
import { until } from '../../support/until.ts'

const connectionStateRecovery = { maxDisconnectionDuration: 30_000 }

t.test(
  'a Redis that comes back empty: clients are told that they may have missed something',
  { skip: withoutRedis },
  async (t) => {
    const redis = await startRedis(t)
    const nodes = []
    for (let i = 0; i < 2; i++) {
      nodes.push(
        await startNode(t, createRelay({ redis: { url: redis.url } }), {
          server: { connectionStateRecovery },
        }),
      )
    }
    const [a, b] = nodes
    const { client } = await connectClient(t, a!)
    const got = heard(client, 'test')
    b!.io.emit('test', 1)
    await until(() => got.length === 1, 'a place to go on from')
    const told = heardGaps(a!.io.of('/').adapter)
    const back = new Promise<void>((resolve) => client.once('connect', resolve))
    await redis.kill()
    await redis.start('nothing')
    b!.io.emit('test', 2)
    await back
    t.equal(client.recovered, false)
    t.match(told, [{ channel: 'socket.io/', reason: 'unknown-epoch' }])
    b!.io.emit('test', 3)
    await until(() => got.includes(3), 'what comes then')
  },
)

t.test('a node that is killed makes nobody wait for ever', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const relay = createRelay({ redis: { url: redis.url } })
  const { io } = await startNode(t, relay, { adapter: { requestTimeout: 300 } })
  const other = fork(fileURLToPath(runnable('test/relay/socket-io/node-process.ts')), [redis.url], {
    execArgv: NODE_ARGS,
  })
  t.teardown(() => other.kill('SIGKILL'))
  await once(other, 'message')
  t.strictSame(await io.serverSideEmitWithAck('hello'), ['from a process'])
  const ended = once(other, 'exit')
  other.kill('SIGKILL')
  await ended
  await t.rejects(io.fetchSockets(), { message: 'timeout reached: missing 1 responses' })
})

function heardGaps(adapter: { on(event: 'gap', listener: (gap: unknown) => void): unknown }): unknown[] {
  const gaps: unknown[] = []
  adapter.on('gap', (gap) => gaps.push(gap))
  return gaps
}
