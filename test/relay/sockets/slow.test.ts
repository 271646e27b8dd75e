import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createRelay, type Relay } from '../../../lib/relay/index.ts'
import { type Scope } from '../../support/balancer.ts'
import { until } from '../../support/until.ts'
import { Client, socketServer } from './bench.ts'

const COUNT = 10_000
const HIGH_WATER = 64 << 10
/** So that it is more than the kernel buffers. */
const FILLER = 'x'.repeat(1_000)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function node(t: Scope): Relay {
  const relay = createRelay({ history: { length: 2 * COUNT }, publish: { outboxBytes: 256 << 20 } })
  t.teardown(() => relay.close())
  return relay
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

async function publish(relay: Relay, from: number, to: number): Promise<void> {
  for (let start = from; start <= to; start += 100) {
    const page = numbers(start, Math.min(to, start + 99))
    await Promise.all(page.map((n) => relay.publish('room', { n, FILLER })))
  }
}

const numbersOf = (client: Client) => client.data().map((data) => (data as { n: number }).n)

t.test('slow readers cost nothing per message, and catch up with all of it', async (t) => {
  const relay = node(t)
  const { url, sockets } = await socketServer(t, relay, { highWater: HIGH_WATER })
  const fast = await new Client(t, url, { id: 'fast' }).ready()
  const slow: Client[] = []
  for (let index = 0; index < 5; index++) slow.push(await new Client(t, url, { id: `slow-${index}` }).ready())
  for (const { socket } of slow) socket.pause()
  const heap = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  await publish(relay, 1, COUNT / 2)
  await fast.has(COUNT / 2)
  const before = heap() - fast.got.length * 100
  await publish(relay, COUNT / 2 + 1, COUNT)
  await fast.has(COUNT)
  const grown = heap() - fast.got.length * 100 - before
  for (const socket of sockets) t.ok(socket.bufferedAmount <= HIGH_WATER + 2_000)
  // 5 queues of 5000 messages of 1 KB would be 25 MB; what grows is the log, and what the fast one has got.
  t.comment(`the heap has grown by ${(grown / 1e6).toFixed(1)} MB`)
  t.ok(grown < 22e6)
  for (const { socket } of slow) socket.resume()
  for (const client of slow) await client.has(COUNT, 'room', 30_000)
  for (const client of slow) {
    t.strictSame(numbersOf(client), numbers(1, COUNT))
    t.same(client.gaps(), [])
  }
  await publish(relay, COUNT + 1, COUNT + 1)
  for (const client of slow) await client.has(COUNT + 1)
})

t.test('latest: the newest is what counts, and the rest is told', async (t) => {
  const relay = node(t)
  const { url } = await socketServer(t, relay, { highWater: HIGH_WATER, slow: 'latest' })
  const client = await new Client(t, url).ready()
  client.socket.pause()
  await publish(relay, 1, COUNT)
  client.socket.resume()
  await until(() => (client.last as { n?: number } | undefined)?.n === COUNT, 'the newest')
  const got = numbersOf(client)
  t.ok(got.length < COUNT)
  const told = client.got.flatMap(({ data, gap }) =>
    gap ? numbers(gap.from, gap.to) : data ? [(data as { n: number }).n] : [],
  )
  t.strictSame(told, numbers(1, COUNT), 'every message, or a gap that says it')
  t.ok(client.gaps().every(({ gap }) => gap!.reason === 'overrun'))
})

t.test('close: it comes back with its places', async (t) => {
  const relay = node(t)
  const { url, attachments } = await socketServer(t, relay, { highWater: HIGH_WATER, slow: 'close' })
  const client = await new Client(t, url).ready()
  client.socket.pause()
  await publish(relay, 1, COUNT)
  client.socket.resume()
  t.same(await client.closed, { code: 1013, reason: 'too slow' })
  const got = numbersOf(client)
  t.ok(got.length < COUNT)
  t.equal(attachments[0]!.token(), JSON.stringify(client.at), 'all that was written has arrived this time')
  const patient = await socketServer(t, relay)
  const again = new Client(t, patient.url, { at: client.at })
  await again.has(COUNT - got.length, 'room', 20_000)
  t.strictSame([...got, ...numbersOf(again)], numbers(1, COUNT))
})

t.test('beyond the history there is a gap', async (t) => {
  const relay = createRelay({ history: { length: 100 } })
  t.teardown(() => relay.close())
  const { url } = await socketServer(t, relay, { highWater: HIGH_WATER })
  const client = await new Client(t, url).ready()
  client.socket.pause()
  await publish(relay, 1, COUNT)
  client.socket.resume()
  await until(() => (client.last as { n?: number } | undefined)?.n === COUNT, 'the newest', 20_000)
  const [gap] = client.gaps()
  t.match(gap, { channel: 'room', gap: { reason: 'trimmed', to: COUNT - 100 } })
  t.strictSame(numbersOf(client), [...numbers(1, gap!.gap!.from - 1), ...numbers(COUNT - 99, COUNT)])
})
