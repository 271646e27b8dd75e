import t from 'tap'
import { Feeds } from '../../lib/relay/delivery/feeds.ts'
import { type GapEvent } from '../../lib/relay/delivery/subscription.ts'
import { MemoryStore } from '../../lib/relay/memory/memory-store.ts'
import { seal } from '../../lib/relay/session/envelope.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { ScriptedSession } from './scripted-session.ts'

const HISTORY = { length: 100, ttl: 120_000 }

class Bench {
  readonly clock = new ManualClock()
  readonly store = new MemoryStore()
  readonly feeds: Feeds
  readonly got: unknown[] = []
  #seq = 0

  constructor() {
    const { clock } = this
    const nothing = () => {}
    this.feeds = new Feeds({ clock, grace: 15_000, established: nothing, failed: nothing })
  }

  async begin(store = this.store): Promise<ScriptedSession> {
    const session = new ScriptedSession(store, this.clock, (channel, entry) =>
      this.feeds.pushed(channel, entry),
    )
    await this.feeds.begin(session)
    return session
  }

  async append(session: ScriptedSession, ...texts: string[]): Promise<void> {
    const entries = texts.map((data) => ({
      seq: ++this.#seq,
      body: seal({ data, id: undefined, expires: 0 }),
    }))
    await session.append('room', { pid: 'p', floor: 1, entries }, HISTORY)
    await settled()
  }

  subscribe(options = {}) {
    const onGap = ({ reason, from, to }: GapEvent) =>
      this.got.push(reason === 'overrun' ? `${reason} ${from}–${to}` : reason)
    return this.feeds.subscribe('room', false, ({ data }) => this.got.push(data), { onGap, ...options })
  }
}

t.test('a feed catches up with what was appended while it was away', async (t) => {
  const bench = new Bench()
  const first = await bench.begin()
  bench.subscribe()
  await settled()
  await bench.append(first, 'a')
  first.end()
  const other = new ScriptedSession(bench.store, bench.clock, () => {})
  await bench.append(other, 'b', 'c')
  await bench.begin()
  t.strictSame(bench.got, ['a', 'b', 'c'])
})

t.test('a push that got lost is read from the log at the next one', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  bench.subscribe()
  await settled()
  await session.unlisten('room')
  await bench.append(session, 'a')
  await session.listen('room')
  await bench.append(session, 'b')
  t.strictSame(bench.got, ['a', 'b'])
})

t.test('another log is a gap, and what the reader had already is not delivered again', async (t) => {
  const bench = new Bench()
  const first = await bench.begin()
  bench.subscribe()
  await settled()
  await bench.append(first, 'a', 'b')
  first.end()
  const wiped = new MemoryStore()
  const next = new ScriptedSession(wiped, bench.clock, () => {})
  // The publisher repeats what it has kept.
  const body = (data: string) => seal({ data, id: undefined, expires: 0 })
  const entries = ['b', 'c'].map((data, index) => ({ seq: 2 + index, body: body(data) }))
  await next.append('room', { pid: 'p', floor: 2, entries }, HISTORY)
  await bench.begin(wiped)
  t.strictSame(bench.got, ['a', 'b', 'unknown-epoch', 'c'])
  t.match(bench.feeds.counts, { gaps: 1, dup: 1 })
})

t.test('what the server refuses is asked again', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  session.refusal = 'LOADING'
  const { ready } = bench.subscribe()
  await bench.clock.advance(1_000)
  session.refusal = undefined
  await bench.clock.advance(1_000)
  await ready
  await bench.append(session, 'a')
  t.strictSame(bench.got, ['a'])
})

t.test('a quiet log is asked for now and then, so that it is not forgotten', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  bench.subscribe()
  await bench.clock.advance(1_000)
  const reads = session.reads
  await bench.clock.advance(200_000)
  t.equal(session.reads, reads)
  await bench.clock.advance(400_000)
  t.equal(session.reads, reads + 2)
  bench.feeds.close()
  t.equal(bench.clock.pending, 0)
})

t.test('a reader that finds another log has the feed look too', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  bench.subscribe()
  await settled()
  await bench.append(session, 'a')
  bench.store.clear()
  await bench.subscribe({ from: 'start' }).ready
  t.strictSame(bench.got, ['a', 'unknown-epoch'])
  bench.feeds.close()
})

t.test('nobody listens for what nobody subscribes to', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  const [one, two] = [bench.subscribe(), bench.subscribe()]
  await settled()
  t.equal(bench.store.listeners('room'), 1, 'once for both')
  one.close()
  two.close()
  two.close()
  t.equal(bench.store.listeners('room'), 0)
  await bench.append(session, 'a')
  t.strictSame(bench.got, [])
  t.equal(bench.feeds.subscriptions, 0)
})

t.test('one channel that is refused holds no other one up', async (t) => {
  const bench = new Bench()
  const session = await bench.begin()
  const others = Array.from({ length: 700 }, (_, n) => bench.feeds.subscribe(`${n}`, false, () => {}, {}))
  await Promise.all(others.map(({ ready }) => ready))
  session.end()
  const next = new ScriptedSession(bench.store, bench.clock, (channel, entry) =>
    bench.feeds.pushed(channel, entry),
  )
  next.poison = '3'
  await bench.feeds.begin(next)
  t.equal(bench.store.listeners('699'), 1)
  t.equal(next.reads, 700)
  next.end()
  bench.feeds.close()
})

t.test(
  'the newest after a log has fallen back: the gap begins where the reader stands in the new epoch',
  async (t) => {
    const bench = new Bench()
    const session = await bench.begin()
    const subscription = bench.subscribe()
    await settled()
    await bench.append(session, ...Array.from({ length: 10 }, (_, n) => `${n + 1}`))
    subscription.pause()
    session.end()
    // As after a failover: what came behind 6 did not survive, and others have published since.
    const [before, after] = ['A', 'B'].map((epoch) => ({ epoch, offset: epoch === 'A' ? 0 : 6 }))
    const chain = [{ ...before!, epoch: bench.store.log('room', 0).epoch }, after!]
    const body = (data: string) => seal({ data, id: undefined, expires: 0 })
    const entries = [7, 8, 9, 10, 11, 12].map((offset) => ({
      offset,
      pid: 'q',
      seq: offset,
      body: body(`q${offset}`),
    }))
    const next = new ScriptedSession(bench.store, bench.clock, () => {})
    next.read = async (_channel, origin) => {
      const place = typeof origin === 'string' || origin[0]!.epoch !== 'B' ? 6 : origin[0]!.offset
      return {
        epoch: 'B',
        chain,
        top: 12,
        after: place,
        gap: undefined,
        entries: entries.filter((e) => e.offset > place),
      }
    }
    await bench.feeds.begin(next)
    bench.got.length = 0
    subscription.resume({ skip: true })
    await settled()
    t.strictSame(bench.got, ['overrun 7–11', 'q12'])
    t.equal(bench.feeds.counts.gaps, 1)
  },
)
