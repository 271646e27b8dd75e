import t from 'tap'
import { check, type Guarantee } from './checker.ts'
import { type Happened, type Recorded } from './record.ts'

const CHANNEL = 'room'

/** Events a millisecond apart. */
function recorded(...happened: readonly (Happened | readonly Happened[])[]): Recorded[] {
  return happened.flat().map((event, at) => ({ ...event, at }))
}

const listen = (subscriber: string): Happened => ({ kind: 'listen', subscriber, channel: CHANNEL })
const intent = (id: string): Happened => ({
  kind: 'intent',
  publisher: id[0]!,
  channel: CHANNEL,
  id,
  n: Number(id.slice(1)),
})
const ack = (id: string, offset: number, epoch = 'e1'): Happened => ({
  kind: 'ack',
  id,
  epoch,
  offset,
  replicas: 1,
})
const deliver = (subscriber: string, id: string, offset: number, epoch = 'e1'): Happened => ({
  kind: 'deliver',
  subscriber,
  channel: CHANNEL,
  id,
  epoch,
  offset,
})
const gap = (subscriber: string, from: number, to: number, reason = 'trimmed'): Happened => ({
  kind: 'gap',
  subscriber,
  channel: CHANNEL,
  from,
  to,
  reason,
})
const use = (node: string, master: string, first: number, last: number): Happened => ({
  kind: 'use',
  node,
  master,
  first,
  last,
})
const log = (...ids: readonly string[]): Happened => ({
  kind: 'log',
  channel: CHANNEL,
  entries: ids.map((id, i) => ({ id, offset: i + 1 })),
})

/** Published, confirmed and delivered to x and y. */
const through = (id: string, offset: number, epoch = 'e1'): Happened[] => [
  intent(id),
  ack(id, offset, epoch),
  deliver('x', id, offset, epoch),
  deliver('y', id, offset, epoch),
]
const both = [listen('x'), listen('y')]

function judge(record: readonly Recorded[]) {
  return check(record, { graceMs: 1_000 })
}

const GOOD: Record<string, readonly Recorded[]> = {
  'nothing goes wrong': recorded(
    both,
    through('a1', 1),
    through('b1', 2),
    through('a2', 3),
    log('a1', 'b1', 'a2'),
  ),
  'a tail dies: a reader falls back, and gets others before what it had': recorded(
    both,
    through('a1', 1),
    [intent('a2'), intent('b1'), ack('a2', 2), deliver('x', 'a2', 2)],
    // y has not seen it. In the new epoch b1 comes first.
    [
      ack('b1', 2, 'e2'),
      deliver('x', 'b1', 2, 'e2'),
      deliver('y', 'b1', 2, 'e2'),
      deliver('y', 'a2', 3, 'e2'),
    ],
    through('b2', 4, 'e2'),
    log('a1', 'b1', 'a2', 'b2'),
  ),
  'what is lost was announced': recorded(
    both,
    [intent('a1'), ack('a1', 1), intent('a2'), ack('a2', 2)],
    [gap('x', 1, 2), gap('y', 1, 0)],
    through('a3', 3),
    log('a1', 'a2', 'a3'),
  ),
  'the master is wiped long after: every reader is told': [
    ...recorded(both, [intent('a1'), ack('a1', 1), deliver('x', 'a1', 1)]),
    ...recorded(
      { kind: 'wiped' },
      [gap('x', 1, 0, 'unknown-epoch'), gap('y', 1, 0, 'unknown-epoch')],
      through('a2', 1, 'e2'),
      log('a2'),
    ).map((event) => ({ ...event, at: event.at + 5_000 })),
  ],
  'what a publisher had not repeated yet died with it': recorded(
    both,
    [intent('a1'), ack('a1', 1), { kind: 'died', publisher: 'a' }],
    [gap('x', 1, 1), gap('y', 1, 1)],
    log(),
  ),
  'one master after another': recorded(use('m', 'one', 0, 5), use('n', 'one', 0, 6), use('m', 'two', 7, 9)),
}

const BAD: Record<string, readonly [Guarantee, readonly Recorded[]]> = {
  'a message is missing': [
    'G1',
    recorded(both, [intent('a1'), ack('a1', 1), deliver('x', 'a1', 1)], log('a1')),
  ],
  'it is missing, and a gap elsewhere does not excuse it': [
    'G1',
    recorded(
      both,
      [intent('a1'), ack('a1', 1), deliver('x', 'a1', 1)],
      through('a2', 2),
      gap('y', 7, 9),
      log('a1', 'a2'),
    ),
  ],
  'it is missing, and the gap was told before it was published': [
    'G1',
    recorded(both, gap('y', 1, 0), [intent('a1'), ack('a1', 1), deliver('x', 'a1', 1)], log('a1')),
  ],
  'nobody has confirmed it, but it stands in the log': [
    'G1',
    recorded(both, intent('a1'), deliver('x', 'a1', 1), log('a1')),
  ],
  'a confirmed message is not in the log': [
    'G2',
    recorded(both, through('a1', 1), through('a2', 2), log('a1')),
  ],
  'it comes again, after a resume': [
    'G3',
    recorded(
      both,
      through('a1', 1),
      through('a2', 2),
      listen('x'),
      deliver('x', 'a2', 2, 'e2'),
      log('a1', 'a2'),
    ),
  ],
  'it was never published': ['G3', recorded(both, deliver('x', 'a9', 1), log())],
  'one publisher is overtaken by itself': [
    'G4',
    recorded(
      both,
      [intent('a1'), intent('a2'), ack('a1', 2), ack('a2', 1)],
      ['x', 'y'].flatMap((name) => [deliver(name, 'a2', 1), deliver(name, 'a1', 2)]),
      log('a2', 'a1'),
    ),
  ],
  'two readers disagree, and no tail has died': [
    'G4',
    recorded(
      both,
      [intent('a1'), intent('b1'), ack('a1', 1), ack('b1', 2)],
      [deliver('x', 'a1', 1), deliver('x', 'b1', 2), deliver('y', 'b1', 2), deliver('y', 'a1', 1)],
      log('a1', 'b1'),
    ),
  ],
  'two readers disagree on what stands where': [
    'G4',
    recorded(
      both,
      [intent('a1'), intent('b1'), ack('a1', 1), ack('b1', 2)],
      [deliver('x', 'a1', 1), deliver('x', 'b1', 2), deliver('y', 'b1', 1), deliver('y', 'a1', 2)],
      log('a1', 'b1'),
    ),
  ],
  'the order of a surviving log is left in the next epoch': [
    'G4',
    recorded(
      both,
      through('a1', 1),
      [intent('b1'), ack('b1', 2), intent('c1'), ack('c1', 3), deliver('x', 'b1', 2), deliver('x', 'c1', 3)],
      [deliver('y', 'c1', 3), deliver('y', 'b1', 2, 'e2')],
      through('a2', 4, 'e2'),
      log('a1', 'b1', 'c1', 'a2'),
    ),
  ],
  'the outbox outgrows its bound': [
    'G5',
    recorded({ kind: 'usage', what: 'outbox bytes', used: 11, limit: 10 }),
  ],
  'two nodes use two masters': ['G6', recorded(use('m', 'one', 0, 5), use('n', 'two', 4, 9))],
}

for (const [name, record] of Object.entries(GOOD)) {
  t.test(`the checker passes: ${name}`, async (t) => t.strictSame(judge(record).broken, []))
}

for (const [name, [guarantee, record]] of Object.entries(BAD)) {
  t.test(`the checker names ${guarantee}: ${name}`, async (t) => {
    const { broken } = judge(record)
    t.ok(broken.length > 0)
    t.strictSame([...new Set(broken.map((one) => one.guarantee))], [guarantee], JSON.stringify(broken))
  })
}

t.test('it counts what it has judged, so that a run in which nothing happened is seen', async (t) => {
  const verdict = judge(GOOD['a tail dies: a reader falls back, and gets others before what it had']!)
  t.match(verdict, { sent: 4, accepted: 4, delivered: 8, gaps: 0, ghosts: 1 })
})

t.test('a record without the log of a channel proves nothing', async (t) => {
  t.throws(() => judge(recorded(both, through('a1', 1))), /does not say what the log of room was/)
})
