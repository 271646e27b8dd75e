import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createRelay, type Relay } from '../../../lib/relay/index.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { NODE_ARGS, ROOT, runnable } from '../../support/tree.ts'
import { until } from '../../support/until.ts'
import { Client, socketServer } from './bench.ts'

function nodes(t: Test, url: string, count: number): Relay[] {
  const made = Array.from({ length: count }, (_, index) =>
    createRelay({ redis: { url }, nodeId: `node-${index}` }),
  )
  t.teardown(() => Promise.all(made.map((relay) => relay.close())))
  return made
}

/** A node in a process of its own. */
async function child(t: Test, redis: string, nodeId: string) {
  const program = fileURLToPath(runnable('test/relay/sockets/node-program.ts'))
  const process_ = spawn(process.execPath, [...NODE_ARGS, program, redis, nodeId], {
    cwd: fileURLToPath(ROOT),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => process_.kill('SIGKILL'))
  const [url] = (await once(createInterface(process_.stdout), 'line')) as [string]
  return { url, kill: () => process_.kill('SIGKILL') }
}

async function events(relay: Relay, room: string): Promise<string[]> {
  const told: string[] = []
  const presence = relay.presence(room)
  for (const event of ['join', 'leave'] as const)
    presence.on(event, ({ clientId, nodeId }) => told.push(`${event} ${clientId} ${nodeId}`))
  await presence.ready
  return told
}

/** Asks until the answer is the one. */
async function becomes<T>(ask: () => Promise<T>, good: (answer: T) => boolean, what: string): Promise<void> {
  let answer: T | undefined
  const asking = new AbortController()
  const loop = async () => {
    while (!asking.signal.aborted) {
      answer = await ask()
      if (good(answer)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  let done = false
  void loop().then(() => (done = true), () => {}) // prettier-ignore
  await until(() => done, what, 20_000).finally(() => asking.abort())
}

t.test('a node is killed: its clients leave, once, and are nowhere', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const [a, b] = nodes(t, redis.url, 2) as [Relay, Relay]
  const told = [await events(a, 'lobby'), await events(b, 'lobby')]
  const node = await child(t, redis.url, 'victim')
  const clients = await Promise.all(['bob', 'eve'].map((id) => new Client(t, node.url, { id }).ready()))
  await until(() => told.every(({ length }) => length === 2), 'both to join', 15_000)
  await becomes(() => a.locate('eve'), (owner) => owner?.nodeId === 'victim', 'eve to be found') // prettier-ignore
  node.kill()
  await Promise.all(clients.map(({ closed }) => closed))
  // Fifteen seconds later.
  await redis.command('ZADD', 'w:nodes', '1', 'victim')
  await until(() => told.every(({ length }) => length >= 4), 'both to leave', 15_000)
  t.equal(await a.locate('bob'), null)
  t.same(await b.presence('lobby').list(), [])
  const { url } = await socketServer(t, a, {}, (attachment) => void attachment.join('lobby'))
  await new Client(t, url).ready()
  await until(() => told.every(({ length }) => length >= 5), 'the next event')
  for (const lines of told) {
    t.same(lines.slice(2, 4).sort(), ['leave bob victim', 'leave eve victim'])
    t.same(lines.slice(4), ['join bob node-0'])
  }
})

for (const [how, wipe] of [
  [
    'flushed',
    async (redis: Awaited<ReturnType<typeof startRedis>>) => void (await redis.command('FLUSHALL')),
  ],
  ['restarted empty', async (redis) => redis.kill().then(() => redis.start())],
] as const satisfies [string, (redis: Awaited<ReturnType<typeof startRedis>>) => Promise<void>][]) {
  t.test(`Redis is ${how}: who is where comes back by itself`, { skip: withoutRedis }, async (t) => {
    const redis = await startRedis(t)
    const [a, b] = nodes(t, redis.url, 2) as [Relay, Relay]
    const told = await events(b, 'lobby')
    const { url } = await socketServer(
      t,
      a,
      {},
      (attachment) => void attachment.join('lobby').catch(() => {}),
    )
    const client = await new Client(t, url).ready()
    await until(() => told.length === 1, 'bob to join')
    await becomes(() => b.locate('bob'), (owner) => owner !== null, 'bob to be found') // prettier-ignore
    await wipe(redis)
    await becomes(() => b.locate('bob'), (owner) => owner?.nodeId === 'node-0', 'bob to be found again') // prettier-ignore
    await becomes(() => b.presence('lobby').list(), (list) => list.length === 1, 'bob to be listed again') // prettier-ignore
    await b.sendTo('bob', 'you')
    await client.has(1, '@c:bob')
    t.same(told, ['join bob node-0'], 'nobody was told that he had left')
    await a.presence('lobby').leave('bob')
    await until(() => told.length === 2, 'bob to leave')
    t.equal(told[1], 'leave bob node-0')
  })
}

t.test('while Redis is away calls wait', { skip: withoutRedis }, async (t) => {
  const redis = await startRedis(t)
  const [a, b] = nodes(t, redis.url, 2) as [Relay, Relay]
  const room = a.presence('lobby')
  await room.join('early')
  await redis.kill()
  const joined = room.join('bob')
  const listed = b.presence('lobby').list()
  const left = room.leave('early')
  const { url } = await socketServer(t, a)
  const client = new Client(t, url, { id: 'eve' })
  await once(client.socket, 'open')
  await redis.start()
  await Promise.all([joined, left, listed, client.ready()])
  t.match(await b.presence('lobby').list(), [{ clientId: 'bob' }])
  await becomes(() => b.locate('eve'), (owner) => owner?.nodeId === 'node-0', 'eve to be found') // prettier-ignore
  await redis.kill()
  const calls: Promise<unknown>[] = [room.join('late'), room.list(), a.locate('bob')]
  const closed = a.close()
  for (const call of calls) await t.rejects(call, { code: 'WSLB_CLOSED' })
  await closed
})

t.test(
  'a client goes from node to node, and the master restarts: nothing is lost or doubled',
  { skip: withoutRedis },
  async (t) => {
    // prettier-ignore
    // What it has on disk at every moment is what it has said it has.
    const redis = await startRedis(t, { config: ['save ""', 'appendonly yes', 'appendfsync always'] })
    const [a, b] = nodes(t, redis.url, 2) as [Relay, Relay]
    const [first, second] = [await socketServer(t, a), await socketServer(t, b)]
    let client = await new Client(t, first.url).ready()
    const got: unknown[] = []
    let n = 0
    for (let turn = 0; turn < 4; turn++) {
      for (let count = 0; count < 10; count++) await (count % 2 ? a : b).publish('room', ++n)
      await client.has(5)
      if (turn % 2) await redis.kill()
      await client.gone()
      got.push(...client.data())
      const away = [a.publish('room', ++n), b.publish('room', ++n)]
      if (turn % 2) await redis.start()
      await Promise.all(away)
      client = new Client(t, (turn % 2 ? first : second).url, { at: client.at })
    }
    await until(() => got.length + client.data().length >= n, 'all of it', 15_000)
    got.push(...client.data())
    t.same(client.gaps(), [])
    t.strictSame([...got].sort((x, y) => Number(x) - Number(y)), Array.from({ length: n }, (_, index) => index + 1)) // prettier-ignore
  },
)
