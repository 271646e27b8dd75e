import t from 'tap'
import { Outbox, type OutboxLimits } from '../../lib/relay/delivery/outbox.ts'
import { type Outcome } from '../../lib/relay/delivery/pending.ts'
import { MemoryStore } from '../../lib/relay/memory/memory-store.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { ScriptedSession } from './scripted-session.ts'

const HISTORY = { length: 1_000, ttl: 600_000 }

/** A publisher, and masters made of nothing but memory. */
class Bench {
  readonly clock = new ManualClock()
  readonly outbox: Outbox
  readonly outcomes: string[] = []
  readonly shortages: unknown[] = []

  constructor(limits: Partial<OutboxLimits> = {}) {
    const defaults = { replicas: 0, grace: 15_000, bytes: 1e6, maxBytes: 1e5, onFull: 'reject' } as const
    const { clock } = this
    const short = (replicas: number | undefined) => this.shortages.push(replicas)
    this.outbox = new Outbox({ pid: 'p', clock, limits: { ...defaults, ...limits }, open: () => true, short })
  }

  begin(store: MemoryStore): ScriptedSession {
    const session = new ScriptedSession(store, this.clock, () => {})
    this.outbox.begin(session)
    return session
  }

  publish(
    text: string,
    { channel = 'room', ack = 'replicated' as const, history = HISTORY } = {},
  ): Promise<Outcome> {
    const published = this.outbox.publish({ channel, history, ack, id: undefined, body: Buffer.from(text) })
    published.then(
      ({ offset, duplicate }) => this.outcomes.push(`${text}@${offset}${duplicate ? ' again' : ''}`),
      (error: { code: string }) => this.outcomes.push(`${text} ${error.code}`),
    )
    return published
  }

  log(store: MemoryStore, channel = 'room'): string[] {
    const now = this.clock.now()
    const { entries } = store.log(channel, now).after(0, 1_000, now)
    return entries.map(({ body }) => body.toString())
  }
}

t.test('a new master gets everything that is kept, in order', async (t) => {
  const bench = new Bench()
  const [first, second] = [new MemoryStore(), new MemoryStore()]
  const session = bench.begin(first)
  for (const text of ['a', 'b', 'c']) await bench.publish(text)
  session.end()
  void bench.publish('d')
  await settled()
  const next = bench.begin(second)
  await settled()
  t.strictSame(bench.log(second), ['a', 'b', 'c', 'd'])
  t.strictSame(next.sent, ['room: 1–4'])
  t.strictSame(bench.outcomes, ['a@1', 'b@2', 'c@3', 'd@4'])
})

t.test('the same master again gets only what it has not answered, and does not have it twice', async (t) => {
  const bench = new Bench()
  const store = new MemoryStore()
  const session = bench.begin(store)
  await bench.publish('a')
  session.swallows = true
  void bench.publish('b')
  await settled()
  t.strictSame(bench.log(store), ['a', 'b'])
  session.end()
  const next = bench.begin(store)
  await settled()
  t.strictSame(next.sent, ['room: 2–2'])
  t.strictSame(bench.outcomes, ['a@1', 'b@2 again'])
  t.strictSame(bench.log(store), ['a', 'b'])
})

t.test('nothing overtakes what was refused', async (t) => {
  const bench = new Bench()
  const store = new MemoryStore()
  const session = bench.begin(store)
  session.refusal = 'NOREPLICAS Not enough good replicas to write.'
  void bench.publish('a')
  await settled()
  void bench.publish('b')
  await bench.clock.advance(49)
  t.strictSame(session.sent, ['room: 1–1'], 'no hail of repetitions')
  await bench.clock.advance(2_000)
  t.ok(session.sent.length > 3 && session.sent.length < 9, 'less and less often')
  session.refusal = undefined
  await bench.clock.advance(1_000)
  t.strictSame(bench.log(store), ['a', 'b'])
  t.strictSame(bench.outcomes, ['a@1', 'b@2'])
})

t.test('a master that was wiped under us gets it all again', async (t) => {
  const bench = new Bench()
  const store = new MemoryStore()
  bench.begin(store)
  await bench.publish('a')
  await bench.publish('b')
  store.clear()
  await bench.publish('c')
  t.strictSame(bench.log(store), ['a', 'b', 'c'])
})

t.test('what is older than the grace is not repeated', async (t) => {
  const bench = new Bench()
  const [first, second] = [new MemoryStore(), new MemoryStore()]
  const session = bench.begin(first)
  await bench.publish('old')
  await bench.clock.advance(14_000)
  await bench.publish('new')
  await bench.clock.advance(2_000)
  session.end()
  // Without a master, time does not count.
  await bench.clock.advance(60_000)
  bench.begin(second)
  await settled()
  t.strictSame(bench.log(second), ['new'])
  await bench.clock.advance(20_000)
  t.equal(bench.outbox.status.bytes, 0, 'nothing is kept for ever')
  t.equal(bench.clock.pending, 0)
})

t.test('it is confirmed when the replicas have it, by this master and no other', async (t) => {
  const bench = new Bench({ replicas: 1 })
  const [first, second] = [new MemoryStore(), new MemoryStore()]
  const session = bench.begin(first)
  void bench.publish('a')
  await bench.clock.advance(1_000)
  t.strictSame(bench.outcomes, [])
  t.match(bench.outbox.status, { messages: 1, oldestMs: 1_000 })
  session.replicas = 1
  session.end()
  await bench.clock.advance(1_000)
  t.strictSame(bench.outcomes, [], 'what a lost master says does not count')
  const next = bench.begin(second)
  next.replicas = 1
  await bench.clock.advance(100)
  t.strictSame(bench.outcomes, ['a@1'])
  t.match(bench.outbox.status, { messages: 0 })
})

t.test('too few replicas are told of, once', async (t) => {
  const bench = new Bench({ replicas: 1 })
  const session = bench.begin(new MemoryStore())
  void bench.publish('a')
  await bench.clock.advance(1_900)
  t.strictSame(bench.shortages, [])
  await bench.clock.advance(5_000)
  t.strictSame(bench.shortages, [0])
  session.replicas = 1
  await bench.clock.advance(500)
  t.strictSame(bench.shortages, [0, undefined])
})

t.test('at the limit, what is safe makes room for what is not', async (t) => {
  const bench = new Bench({ bytes: 2_000 })
  bench.begin(new MemoryStore())
  for (let n = 0; n < 100; n++) await bench.publish(`${n}`)
  t.ok(bench.outbox.status.bytes <= 2_000)
  t.equal(bench.outcomes.length, 100)
  t.notOk(bench.outcomes.some((outcome) => outcome.includes('WSLB')))
})

t.test('whoever waits for room keeps its place', async (t) => {
  const bench = new Bench({ bytes: 1_000, onFull: 'wait' })
  for (let n = 1; n <= 20; n++) void bench.publish(`${n}`)
  await settled()
  t.match(bench.outbox.status, { messages: 20 })
  const store = new MemoryStore()
  bench.begin(store)
  await settled()
  t.strictSame(
    bench.log(store),
    Array.from({ length: 20 }, (_, n) => `${n + 1}`),
  )
})

t.test('whoever waits for room gets it as soon as there is some', async (t) => {
  for (const history of [HISTORY, { length: 0, ttl: 1 }]) {
    const bench = new Bench({ bytes: 3_100, maxBytes: 1_000, onFull: 'wait' })
    bench.begin(new MemoryStore())
    const large = ['a', 'b', 'c', 'd', 'e'].map((letter) => bench.publish(letter.repeat(990), { history }))
    await settled()
    t.equal(bench.outcomes.length, 5)
    await Promise.all(large)
    t.ok(bench.outbox.status.bytes <= 3_100)
  }
})

t.test('a channel that was quiet for long goes on with higher numbers', async (t) => {
  const bench = new Bench()
  const store = new MemoryStore()
  bench.begin(store)
  await bench.publish('a')
  await bench.publish('x', { channel: 'other' })
  await bench.publish('y', { channel: 'other' })
  await bench.clock.advance(60_000)
  t.equal(bench.outbox.status.bytes, 0)
  await bench.publish('b')
  t.strictSame(bench.log(store), ['a', 'b'])
  t.strictSame(bench.outcomes.at(-1), 'b@2')
})

t.test('a store in memory forgets channels that nobody has used for long', async (t) => {
  const bench = new Bench()
  const store = new MemoryStore()
  bench.begin(store)
  for (let n = 0; n < 1_000; n++) await bench.publish('x', { channel: `${n}` })
  await bench.clock.advance(10 * HISTORY.ttl + 1)
  await bench.publish('y', { channel: 'another' })
  t.equal(store.size, 1)
})

t.test('the end waits for what is under way, as long as it is told to', async (t) => {
  const bench = new Bench()
  void bench.publish('a')
  const closed = bench.outbox.close(5_000)
  await bench.clock.advance(1_000)
  const store = new MemoryStore()
  bench.begin(store)
  await closed
  t.strictSame(bench.outcomes, ['a@1'])

  const late = new Bench()
  void late.publish('a')
  const end = late.outbox.close(5_000)
  await late.clock.advance(5_000)
  await end
  t.strictSame(late.outcomes, ['a WSLB_CLOSED'])
  t.equal(late.clock.pending, 0)
})
