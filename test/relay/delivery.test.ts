import { EventEmitter } from 'node:events'
import t from 'tap'
import {
  createRelay,
  MemoryStore,
  type GapEvent,
  type Message,
  type Position,
  type PublishOptions,
  type RedisTarget,
  type Relay,
  type RelayOptions,
  type RelaySocket,
} from '../../lib/relay/index.ts'
import { type Scope } from '../support/balancer.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { until } from '../support/until.ts'

function relays(t: Scope, count: number, options: Parameters<typeof createRelay>[0] = {}): Relay[] {
  const memory = new MemoryStore()
  const made = Array.from({ length: count }, () => createRelay({ memory, ...options }))
  t.teardown(() => Promise.all(made.map((relay) => relay.close())))
  return made
}

t.test('what one node publishes reaches subscribers of all nodes, in order, as what it was', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const got: unknown[][] = [[], []]
  await a.subscribe('room', ({ data }) => got[0]!.push(data)).ready
  await b.subscribe('room', ({ data }) => got[1]!.push(data)).ready
  const sent = ['text', { json: [1, null] }, Buffer.from([0, 10, 255]), 7, 'grüße\n']
  for (const data of sent) void a.publish('room', data)
  await until(() => got.every(({ length }) => length === sent.length), 'all of it')
  t.strictSame(got, [sent, sent])
})

t.test('a subscriber goes on where it stood, and gets nothing twice', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const got: unknown[] = []
  const first = a.subscribe('room', ({ data }) => got.push(data))
  await first.ready
  await b.publish('room', 1)
  await until(() => got.length === 1, 'the first')
  const position = JSON.parse(JSON.stringify(first.position())) as Position
  first.close()
  await b.publish('room', 2)
  await b.publish('room', 3)
  await b.subscribe('room', ({ data }) => got.push(data), { from: position }).ready
  await b.publish('room', 4)
  await until(() => got.length === 4, 'the rest')
  t.strictSame(got, [1, 2, 3, 4])
})

t.test('who begins at the start of an empty log gets what is published at that moment', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const got: unknown[] = []
  relay.subscribe('room', ({ data }) => got.push(data), { from: 'start' })
  for (const data of [1, 2, 3]) void relay.publish('room', data)
  await until(() => got.length === 3, 'all of it')
  t.strictSame(got, [1, 2, 3])
})

t.test('what is not kept any more is told as a gap', async (t) => {
  const [relay] = relays(t, 1, { history: { length: 3 } }) as [Relay]
  const gaps: GapEvent[] = []
  const got: Message[] = []
  const first = relay.subscribe('room', () => {})
  await relay.publish('room', 0)
  const from = first.position()!
  for (let n = 1; n <= 10; n++) await relay.publish('room', n)
  await relay.subscribe('room', (message) => got.push(message), { from, onGap: (gap) => gaps.push(gap) })
    .ready
  t.strictSame(gaps, [{ channel: 'room', from: 2, to: 8, reason: 'trimmed' }])
  t.strictSame(
    got.map(({ data, offset }) => [data, offset]),
    [
      [8, 9],
      [9, 10],
      [10, 11],
    ],
  )
  t.equal(relay.status().gaps, 1)
})

t.test('a paused subscriber misses nothing', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const got: unknown[] = []
  const subscription = a.subscribe('room', ({ data }) => {
    got.push(data)
    if (got.length === 2) subscription.pause()
  })
  await subscription.ready
  for (let n = 1; n <= 700; n++) void b.publish('room', n)
  await b.publish('room', 701)
  t.strictSame(got, [1, 2])
  subscription.resume()
  await until(() => got.length === 701, 'all')
  t.strictSame(
    got,
    Array.from({ length: 701 }, (_, index) => index + 1),
  )
  await b.publish('room', 702)
  t.equal(got.at(-1), 702)
})

t.test('whoever takes only the newest is told what it did not get', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const got: unknown[] = []
  const subscription = relay.subscribe('room', ({ data }) => got.push(data), {
    onGap: (gap) => got.push(gap),
  })
  await subscription.ready
  await relay.publish('room', 1)
  subscription.pause()
  for (let n = 2; n <= 9; n++) await relay.publish('room', n)
  subscription.resume({ skip: true })
  await until(() => got.length === 3, 'the newest')
  t.strictSame(got, [1, { channel: 'room', from: 2, to: 8, reason: 'overrun' }, 9])
})

t.test('the same id is published once, whoever does it', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const got: Message[] = []
  await a.subscribe('jobs', (message) => got.push(message)).ready
  const [first, second] = [
    await a.publish('jobs', 'x', { id: 'job-1' }),
    await b.publish('jobs', 'x', { id: 'job-1' }),
  ]
  t.match(first, { id: 'job-1', offset: 1, duplicate: false })
  t.match(second, { id: 'job-1', offset: 1, duplicate: true })
  await b.publish('jobs', 'y')
  await until(() => got.length === 2, 'both')
  t.strictSame(
    got.map(({ id, data }) => [id === 'job-1', data]),
    [
      [true, 'x'],
      [false, 'y'],
    ],
  )
})

t.test('a channel without history', async (t) => {
  const [a, b] = relays(t, 2) as [Relay, Relay]
  const got: unknown[] = []
  const channels = [a, b].map((relay) => relay.channel('cursor', { history: { length: 0 } }))
  await channels[0]!.subscribe(({ data, offset }) => got.push([data, offset])).ready
  t.match(await channels[1]!.publish('x'), { offset: 0, replicas: 0 })
  await until(() => got.length === 1, 'the message')
  t.strictSame(got, [['x', 0]])
})

t.test('a listener that throws, subscribes or closes hurts nobody', async (t) => {
  const failures: unknown[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (fields: object) => failures.push(fields) }
  const [relay] = relays(t, 1, { log }) as [Relay]
  const got: unknown[] = []
  relay.subscribe('room', () => {
    throw new Error('mine')
  })
  relay.subscribe('room', () => Promise.reject(new Error('later')) as unknown as void)
  const once = relay.subscribe('room', () => {
    once.close()
    relay.subscribe('room', ({ data }) => got.push(['inner', data]))
  })
  await relay.subscribe('room', ({ data }) => got.push(data)).ready
  await relay.publish('room', 1)
  await relay.publish('room', 2)
  await until(() => failures.length === 4 && got.length === 3, 'everything')
  t.strictSame(got, [1, 2, ['inner', 2]])
})

t.test('the outbox is bounded', async (t) => {
  const limits = { outboxBytes: 4_000, maxBytes: 1_000, replicas: 1 }
  const [reject] = relays(t, 1, { publish: limits }) as [Relay]
  const waiting = Array.from({ length: 4 }, () => reject.publish('room', 'x'.repeat(700)))
  for (const publish of waiting) publish.catch(() => {})
  await t.rejects(reject.publish('room', 'x'.repeat(700)), { code: 'WSLB_RELAY_FULL' })
  await t.rejects(reject.publish('room', 'x'.repeat(1_001)), { code: 'WSLB_RELAY_TOO_LARGE' })
  t.match(reject.status().outbox, { messages: 4 })
  await reject.close()
  t.strictSame(
    (await Promise.allSettled(waiting)).map(({ status }) => status),
    Array(4).fill('rejected'),
    'those that no replica confirmed',
  )

  const [patient] = relays(t, 1, { publish: { ...limits, replicas: 0, onFull: 'wait' } }) as [Relay]
  const all = Array.from({ length: 50 }, (_, n) => patient.publish('room', `${n}${'x'.repeat(700)}`))
  t.strictSame(
    (await Promise.all(all)).map(({ offset }) => offset),
    Array.from({ length: 50 }, (_, n) => n + 1),
  )
})

t.test('what is not kept reaches a client that is behind in what is', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const got: unknown[] = []
  const socket = new EventEmitter() as EventEmitter & RelaySocket
  Object.assign(socket, { bufferedAmount: 0, close: () => {} })
  socket.send = (frame, written) => {
    const { data } = JSON.parse(String(frame)) as { data?: unknown }
    if (data !== undefined) got.push(data)
    queueMicrotask(() => written())
  }
  await relay.attach(socket, { clientId: 'c', highWater: 10 }).subscribe('room')
  await relay.sendTo('c', 'one')
  Object.assign(socket, { bufferedAmount: 100 })
  await relay.sendTo('c', 'fills it')
  await relay.sendTo('c', 'not kept', { history: false })
  await relay.sendTo('c', 'kept')
  Object.assign(socket, { bufferedAmount: 0 })
  await until(() => got.includes('kept'), 'what was kept')
  t.strictSame(got, ['one', 'fills it', 'kept'])
})

t.test('a subscriber that is paused while others are told of a message gets it later', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const got: unknown[] = []
  let saved: Position | undefined
  const first = relay.subscribe('room', ({ data }) => {
    if (data !== 2) return
    saved = second.position()
    second.pause()
  })
  const second = relay.subscribe('room', ({ data }) => got.push(data))
  await Promise.all([first.ready, second.ready])
  for (const n of [1, 2, 3]) await relay.publish('room', n)
  second.resume()
  await until(() => got.length === 3, 'all')
  t.strictSame(got, [1, 2, 3])
  const again: unknown[] = []
  await relay.subscribe('room', ({ data }) => again.push(data), { from: saved! }).ready
  t.strictSame(again, [2, 3], 'its position was before the message')
})

t.test('what has expired is one gap', async (t) => {
  const clock = new ManualClock()
  const [relay] = relays(t, 1, { clock, history: { ttlMs: 1_000 } }) as [Relay]
  const gaps: GapEvent[] = []
  const first = relay.subscribe('room', () => {})
  await first.ready
  await relay.publish('room', 1)
  const from = first.position()!
  await relay.publish('room', 2)
  await relay.publish('room', 3)
  await clock.advance(2_000)
  const got: unknown[] = []
  const second = relay.subscribe('room', ({ data }) => got.push(data), {
    from,
    onGap: (gap) => gaps.push(gap),
  })
  await second.ready
  await relay.publish('room', 4)
  await settled()
  t.strictSame(gaps, [{ channel: 'room', from: 2, to: 3, reason: 'expired' }])
  t.strictSame(got, [4])
})

t.test('a channel without history says that something is missing', async (t) => {
  const [relay] = relays(t, 1, { history: { length: 0 } }) as [Relay]
  const got: unknown[] = []
  const onGap = ({ reason }: GapEvent) => got.push(reason)
  const subscription = relay.subscribe('room', ({ data }) => got.push(data), { onGap })
  await subscription.ready
  await relay.publish('room', 1)
  subscription.pause()
  await relay.publish('room', 2)
  subscription.resume()
  await settled()
  await relay.publish('room', 3)
  await until(() => got.length === 3, 'the third')
  t.strictSame(got, [1, 'no-history', 3])
  const from = subscription.position()!
  subscription.close()
  await relay.subscribe('room', () => {}, { from, onGap }).ready
  t.strictSame(got, [1, 'no-history', 3, 'no-history'])
  t.throws(
    () => relay.channel('room', { history: { length: 5 } }).subscribe(() => {}),
    /without history here/,
  )
})

t.test('a position that is none is refused at once', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const wrong: unknown[] = [null, {}, [], 7, 'never', { epoch: 5, offset: 1 }, { epoch: 'x', offset: null }]
  const marks = [
    { epoch: 'x', offset: 1, trail: 5 },
    { epoch: 'x', offset: 1, trail: [null] },
  ]
  const numbers = [
    { epoch: 'x', offset: 1, seen: 5 },
    { epoch: 'x', offset: 1, seen: { p: 'many' } },
  ]
  for (const from of [...wrong, ...marks, ...numbers]) {
    t.throws(() => relay.subscribe('room', () => {}, { from: from as Position }), {
      code: 'WSLB_CONFIG_INVALID',
    })
  }
  t.equal(relay.status().subscriptions, 0)
})

t.test('options of a publish that are none are refused', async (t) => {
  const [relay] = relays(t, 1) as [Relay]
  const wrong = [{ id: null }, { id: '\ud800' }, { id: '' }, { ack: 'replicatd' }, { ttlMs: '5s' }]
  for (const options of wrong) {
    await t.rejects(relay.publish('room', 1, options as unknown as PublishOptions), {
      code: 'WSLB_CONFIG_INVALID',
    })
  }
  t.throws(() => createRelay({ histroy: {} } as unknown as RelayOptions), /histroy: .*did you mean "history"/)
  t.throws(
    () => createRelay({ redis: 'redis://localhost' as unknown as RedisTarget }),
    /redis: got a string; .*\{ url: /,
  )
})

t.test('nothing goes on after the end', async (t) => {
  const relay = createRelay()
  await relay.ready()
  let got = 0
  const subscription = relay.subscribe('room', () => got++)
  await relay.publish('room', 1)
  t.equal(got, 1)
  await relay.close()
  await relay.close()
  t.equal(relay.status().state, 'closed')
  await t.rejects(relay.publish('room', 2), { code: 'WSLB_CLOSED' })
  t.throws(() => relay.subscribe('room', () => {}), { code: 'WSLB_CLOSED' })
  subscription.close()
  t.equal(got, 1)
})

t.test('what is wrong with the options is said at once', async (t) => {
  const wrong = { history: { length: -1 }, publish: { graceMs: NaN, onFull: 'drop' as 'wait' } }
  t.throws(() => createRelay(wrong), /^publish.onFull: .*drop\nhistory.length: .*-1\npublish.graceMs: .*NaN$/)
  const relay = createRelay()
  t.teardown(async () => relay.close())
  t.throws(() => relay.subscribe('@c:me', () => {}), { code: 'WSLB_CONFIG_INVALID' })
  await t.rejects(relay.publish('', 1), { code: 'WSLB_CONFIG_INVALID' })
  await t.rejects(relay.publish('room', undefined as unknown as string), TypeError)
})
