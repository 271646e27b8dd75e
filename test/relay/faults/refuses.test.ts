import t, { type Test } from 'tap'
import { type RedisServer } from '../../../examples/support/redis-server.ts'
import { type Connection, type ConnectionFactory } from '../../../lib/relay/redis/connection.ts'
import { connectNodeRedis } from '../../../lib/relay/redis/node-redis-connection.ts'
import { createRelay, type PublishLimits, type RelayState } from '../../../lib/relay/index.ts'
import { freePort } from '../../support/free-port.ts'
import { startRedis, withoutRedis } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'

// Redis is there and refuses, or is not there: what is published waits, and it is said once why.

const PATIENCE = 20_000

interface Setting {
  readonly url: string
  readonly connect?: ConnectionFactory
  readonly publish?: PublishLimits
}

function relayOn(t: Test, { url, connect, publish = {} }: Setting) {
  const warnings: string[] = []
  const quiet = () => {}
  const relay = createRelay({
    redis: { url, ...(connect ? { connect } : {}) },
    publish,
    log: { debug: quiet, info: quiet, error: quiet, warn: (fields) => warnings.push(JSON.stringify(fields)) },
  })
  t.teardown(() => relay.close())
  const told = (trouble: RegExp) => warnings.filter((warning) => trouble.test(warning)).length
  const says = async (state: RelayState, trouble: RegExp) => {
    const isSaid = () => trouble.test(relay.status().trouble ?? '') && relay.status().state === state
    await until(isSaid, `${state} because of ${trouble}`, PATIENCE)
  }
  const isWell = () => until(() => relay.status().state === 'ready', 'all to be well again', PATIENCE)
  return { relay, told, says, isWell }
}

interface Refusal {
  readonly name: string
  readonly trouble: RegExp
  readonly state: RelayState
  readonly begin: readonly string[]
  readonly end: readonly string[]
}

const REFUSALS: readonly Refusal[] = [
  {
    name: 'too few replicas',
    trouble: /NOREPLICAS/,
    state: 'refused',
    begin: ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
    end: ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
  },
  {
    name: 'no memory left',
    trouble: /OOM/,
    state: 'refused',
    begin: ['CONFIG', 'SET', 'maxmemory', '1'],
    end: ['CONFIG', 'SET', 'maxmemory', '0'],
  },
  {
    name: 'it has become a replica',
    trouble: /READONLY|is no master: slave/,
    state: 'away',
    begin: ['REPLICAOF', '127.0.0.1', '1'],
    end: ['REPLICAOF', 'NO', 'ONE'],
  },
]

for (const { name, trouble, state, begin, end } of REFUSALS) {
  t.test(`${name}: publishes wait until it takes them again`, { skip: withoutRedis }, async (t) => {
    const server = await startRedis(t)
    const { relay, told, says, isWell } = relayOn(t, { url: server.url })
    const got: unknown[] = []
    await relay.subscribe('room', ({ data }) => got.push(data)).ready
    await relay.publish('room', 'before')
    await server.command(...begin)
    const waiting = [relay.publish('room', 'first'), relay.publish('room', 'second')]
    await says(state, trouble)
    t.equal(relay.status().outbox.messages, 2)
    await server.command(...end)
    await Promise.all(waiting)
    await isWell()
    await until(() => got.length === 3, 'all three')
    t.same(got, ['before', 'first', 'second'])
    t.ok(told(trouble) > 0 && told(trouble) <= 2, `the log has it ${told(trouble)} times`)
  })
}

/** It comes to be usable after the relay has begun. */
async function usableLater(t: Test, setting: Setting, trouble: RegExp, cure: () => Promise<unknown>) {
  const { relay, told, says, isWell } = relayOn(t, setting)
  const waiting = relay.publish('room', 'patient')
  await says('connecting', trouble)
  t.match(relay.status(), { outbox: { messages: 1 }, master: undefined, epoch: undefined })
  await cure()
  await waiting
  await isWell()
  t.equal(told(trouble), 1, 'the log has it once')
}

t.test('a wrong password is told, and waited for', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t, { config: ['requirepass another'], auth: { password: 'another' } })
  const url = `redis://:mine@127.0.0.1:${server.port}`
  await usableLater(t, { url }, /WRONGPASS/, () => server.command('CONFIG', 'SET', 'requirepass', 'mine'))
})

t.test('a Redis that is not there yet is waited for', { skip: withoutRedis }, async (t) => {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  await usableLater(t, { url }, /ECONNREFUSED/, () => startRedis(t, { port }))
})

t.test('a Redis that is too old is told, and waited for', { skip: withoutRedis }, async (t) => {
  const server = await startRedis(t)
  let version = '5.0.14'
  const connect: ConnectionFactory = async (options) => {
    const connection = await connectNodeRedis(options)
    return pretending(connection, () => version)
  }
  const trouble = /is Redis 5\.0\.14: \d+\.\d+ or newer is needed/
  await usableLater(t, { url: server.url, connect }, trouble, async () => (version = '7.0.15'))
})

/** A connection to a server that says to be of another version. */
function pretending(connection: Connection, version: () => string): Connection {
  return {
    signal: connection.signal,
    subscribe: (channel, listener) => connection.subscribe(channel, listener),
    unsubscribe: (channel) => connection.unsubscribe(channel),
    destroy: () => connection.destroy(),
    command: async (args) => {
      const reply = await connection.command(args)
      const isInfo = args[0] === 'INFO' && args[1] === 'server'
      return isInfo ? String(reply).replace(/redis_version:\S+/, `redis_version:${version()}`) : reply
    },
  }
}

/** A relay whose outbox takes three messages, and a Redis that has gone. */
async function withFullOutbox(t: Test, onFull: 'reject' | 'wait') {
  const server: RedisServer = await startRedis(t)
  const publish = { outboxBytes: 4_000, maxBytes: 1_400, onFull }
  const { relay } = relayOn(t, { url: server.url, publish })
  await relay.ready()
  await server.kill()
  const accepted = [1, 2, 3].map((n) => relay.publish('room', `${n}`.padEnd(1_000)))
  t.ok(relay.status().outbox.bytes <= 4_000)
  return { server, relay, accepted }
}

t.test(
  'a full outbox refuses what comes then, and nothing else is lost',
  { skip: withoutRedis },
  async (t) => {
    const { server, relay, accepted } = await withFullOutbox(t, 'reject')
    await t.rejects(relay.publish('room', 'x'.repeat(1_000)), { code: 'WSLB_RELAY_FULL' })
    await t.rejects(relay.publish('room', 'x'.repeat(2_001)), { code: 'WSLB_RELAY_TOO_LARGE' })
    await server.start()
    t.same(
      (await Promise.all(accepted)).map(({ offset }) => offset),
      [1, 2, 3],
    )
  },
)

t.test('a full outbox lets what comes then wait, in order', { skip: withoutRedis }, async (t) => {
  const { server, relay, accepted } = await withFullOutbox(t, 'wait')
  const more = [4, 5, 6, 7].map((n) => relay.publish('room', `${n}`.padEnd(1_000)))
  t.ok(relay.status().outbox.bytes > 7_000, 'with those that wait')
  t.equal(relay.status().outbox.messages, 7)
  await server.start()
  const placed = await Promise.all([...accepted, ...more])
  t.same(
    placed.map(({ offset }) => offset),
    [1, 2, 3, 4, 5, 6, 7],
  )
})
