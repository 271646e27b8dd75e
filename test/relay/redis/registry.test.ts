import { createClient, RESP_TYPES } from 'redis'
import t, { type Test } from 'tap'
import { RedisRegistry } from '../../../lib/relay/redis/redis-registry.ts'
import { type Evaluator, type Reply } from '../../../lib/relay/session/evaluator.ts'
import { registryContract } from '../../contract/registry.ts'
import { startRedis } from '../../support/redis-server.ts'

const server = await startRedis(t)
const client = createClient({ url: server.url, RESP: 3 }).withTypeMapping({
  [RESP_TYPES.BLOB_STRING]: Buffer,
})
client.on('error', () => {})
await client.connect()
t.teardown(() => client.destroy())

let prefixes = 0

const evaluator: Evaluator = {
  eval: ({ text }, keys, args): Promise<Reply> =>
    client.sendCommand(['EVAL', text, String(keys.length), ...keys, ...args] as string[]),
}

function bench(_t: Test, prefix = `w${++prefixes}`) {
  const registry = new RedisRegistry(evaluator, prefix)
  return {
    registry,
    prefix,
    expire: (nodeId: string) => server.command('ZADD', `${prefix}:nodes`, '1', nodeId),
  }
}

registryContract(bench)

t.test('nothing is left of a node that died, and of one that left', async (t) => {
  const { registry, prefix, expire } = bench(t)
  await registry.beat('a', 'e1', 60_000)
  await registry.claim('bob', 'a')
  await registry.enter('room', 'bob', 'a', '1')
  await registry.beat('b', 'e1', 60_000)
  const eve = await registry.enter('room', 'eve', 'b', '1')
  const { owner } = await registry.claim('eve', 'b')
  await registry.leave('room', 'eve', eve)
  await registry.release('eve', owner)
  await expire('a')
  await registry.retire('b')
  for (const orphan of (await registry.sweep(10)).orphans) await registry.leave('room', 'bob', orphan)
  await registry.sweep(10)
  t.same(await server.command('KEYS', `${prefix}:*`), [`${prefix}:clock`])
})

t.test('the clock of the server goes back, and a newer claim is greater still', async (t) => {
  const { registry, prefix } = bench(t)
  // As if the last master had been ten years ahead.
  await server.command('SET', `${prefix}:clock`, 'ozzzzzzzzz')
  const first = await registry.claim('bob', 'a')
  const second = await registry.claim('eve', 'a')
  t.equal(first.owner.connId, 'p000000000')
  t.equal(second.owner.connId, 'p000000001')
})

t.test('what a client costs', async (t) => {
  const { registry } = bench(t)
  await registry.beat('node-1', 'e1', 60_000)
  const used = async () =>
    Number(/used_memory:(\d+)/.exec(String(await server.command('INFO', 'memory')))![1])
  const clients = 20_000
  const cost = async (action: (client: string) => Promise<unknown>) => {
    const before = await used()
    for (let from = 0; from < clients; from += 1_000)
      await Promise.all(Array.from({ length: 1_000 }, (_, index) => action(`client-${from + index}`)))
    return ((await used()) - before) / clients
  }
  const claimed = await cost((client) => registry.claim(client, 'k3J9xQ2mLp7RtZ0a'))
  const entered = await cost((client) =>
    registry.enter('lobby', client, 'k3J9xQ2mLp7RtZ0a', '{"name":"Bob"}'),
  )
  t.comment(`bytes per client: ${claimed.toFixed(0)}; per member of a room: ${entered.toFixed(0)}`)
  t.ok(claimed < 150)
  t.ok(entered < 250)
})
