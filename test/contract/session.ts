import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Batch, type Draft, type Placed } from '../../lib/relay/session/entry.ts'
import { type Session, type Transport } from '../../lib/relay/session/session.ts'
import { Witness } from '../support/witness.ts'

/** A place where several transports meet. */
export interface SessionBench {
  /** Another transport to the same place. */
  transport(): Transport
}

export const LASTING = { length: 1000, ttl: 60_000 }

/** Entries `from` to `to` of a publisher, each with its number as body. */
export function batch(
  pid: string,
  from: number,
  to: number,
  more: Partial<Batch> & { ids?: readonly string[] } = {},
) {
  const { ids, ...rest } = more
  const entries = Array.from({ length: to - from + 1 }, (_, index): Draft => {
    return { seq: from + index, body: Buffer.from(`${pid}${from + index}`), id: ids?.[index] }
  })
  return { pid, floor: 1, entries, ...rest }
}

/** The offsets; negative for what stood there already. */
export async function appended(session: Session, channel: string, entries: Batch, history = LASTING) {
  const answer = await session.append(channel, entries, history)
  if (answer.status === 'hole') return answer
  return answer.placed.map(({ offset, duplicate }: Placed) => (duplicate ? -offset : offset))
}

export async function bodies(
  session: Session,
  channel: string,
  origin: Parameters<Session['read']>[1],
  limit = 5000,
) {
  const { entries } = await session.read(channel, origin, limit)
  return entries.map(({ body }) => body.toString())
}

/** What every session does, whatever is behind it. */
export function sessionContract(prepare: (t: Test) => SessionBench | Promise<SessionBench>): void {
  const test = (
    name: string,
    body: (t: Test, session: Session, witness: Witness, bench: SessionBench) => Promise<void>,
  ) =>
    t.test(name, async (t) => {
      const bench = await prepare(t)
      const witness = new Witness(t, bench.transport())
      await body(t, await witness.session(), witness, bench)
    })

  test('offsets count up, whoever publishes', async (t, session) => {
    t.same(await appended(session, 'room', batch('a', 1, 3)), [1, 2, 3])
    t.same(await appended(session, 'room', batch('b', 1, 1)), [4])
    t.same(await appended(session, 'other', batch('a', 1, 1)), [1], 'every channel has its own')
    t.same(await bodies(session, 'room', 'start'), ['a1', 'a2', 'a3', 'b1'])
  })

  test('what is repeated is not appended again, and its place is known', async (t, session) => {
    await appended(session, 'room', batch('a', 1, 3))
    await appended(session, 'room', batch('b', 1, 1))
    t.same(await appended(session, 'room', batch('a', 2, 4)), [-2, -3, 5])
    t.same(await bodies(session, 'room', 'start'), ['a1', 'a2', 'a3', 'b1', 'a4'])
  })

  test('nothing is appended behind a hole', async (t, session) => {
    await appended(session, 'room', batch('a', 1, 2))
    t.same(await appended(session, 'room', batch('a', 4, 5)), { status: 'hole', last: 2 })
    t.same(await appended(session, 'room', batch('new', 2, 2)), { status: 'hole', last: 0 })
    t.same(await bodies(session, 'room', 'start'), ['a1', 'a2'])
    t.same(await appended(session, 'room', batch('a', 3, 5)), [3, 4, 5])
  })

  test('a log that does not know the publisher begins at its floor', async (t, session) => {
    t.same(await appended(session, 'room', batch('a', 7, 8, { floor: 7 })), [1, 2])
    t.same(await appended(session, 'room', batch('b', 8, 8, { floor: 7 })), { status: 'hole', last: 0 })
  })

  test('an id is appended once, of whatever publisher', async (t, session) => {
    t.same(await appended(session, 'room', batch('a', 1, 3, { ids: ['x', 'y', 'x'] })), [1, 2, -1])
    t.same(await appended(session, 'room', batch('b', 1, 2, { ids: ['y', 'a}:{b é'] })), [-2, 3])
    t.same(await appended(session, 'room', batch('b', 3, 3, { ids: ['a}:{b é'] })), [-3])
    t.same(await appended(session, 'other', batch('b', 1, 1, { ids: ['x'] })), [1], 'in its channel')
    t.same(await appended(session, 'room', batch('a', 4, 4)), [4], 'a duplicate is no hole')
    t.same(await bodies(session, 'room', 'start'), ['a1', 'a2', 'b2', 'a4'])
  })

  test('names of channels are of any characters', async (t, session, witness) => {
    const names = ['', 'a}:p:{b', '{', '}', 'a b\n', '\u0000', 'é😀', 'a', 'a}']
    for (const name of names) await session.listen(name)
    for (const [index, name] of names.entries())
      t.same(await appended(session, name, batch(`p${index}`, 1, 1)), [1], JSON.stringify(name))
    for (const [index, name] of names.entries()) t.same(await bodies(session, name, 'start'), [`p${index}1`])
    await witness.heard(names.length)
    t.same(
      witness.entries.map(({ channel }) => channel),
      names,
    )
  })

  test('bodies are bytes', async (t, session, witness) => {
    const texts = ['', '\0', '\n', 'a|b|1|', '\r\n$3\r\n'].map((text) => Buffer.from(text))
    const all = [...texts, Buffer.from([0xff, 0xfe, 0x80, 0]), randomBytes(200_000)]
    const entries = all.map((body, index) => ({ seq: index + 1, body }))
    await session.listen('room')
    await session.append('room', { pid: 'a', floor: 1, entries }, LASTING)
    const slice = await session.read('room', 'start', 100)
    t.strictSame(
      slice.entries.map(({ body }) => body),
      all,
    )
    await witness.heard(all.length)
    t.strictSame(
      witness.entries.map(({ body }) => body),
      all,
    )
    t.strictSame(
      witness.entries.map(({ seq, offset }) => [seq, offset]),
      entries.map(({ seq }) => [seq, seq]),
    )
  })

  test('what is appended is pushed to all who listen, on every node', async (t, session, witness, bench) => {
    const other = new Witness(t, bench.transport())
    const elsewhere = await other.session()
    await Promise.all([session.listen('room'), elsewhere.listen('room'), elsewhere.listen('room')])
    const answer = await session.append('room', batch('a', 1, 2), LASTING)
    t.equal(answer.status === 'placed' && answer.placed[0]?.receivers, 2)
    await Promise.all([witness.heard(2), other.heard(2)])
    const { epoch } = await session.read('room', 'now', 1)
    t.strictSame(witness.entries, [
      { channel: 'room', epoch, pid: 'a', seq: 1, offset: 1, body: Buffer.from('a1') },
      { channel: 'room', epoch, pid: 'a', seq: 2, offset: 2, body: Buffer.from('a2') },
    ])
    t.strictSame(other.entries, witness.entries)
    t.equal(answer.status === 'placed' && answer.epoch, epoch)
    t.match(epoch, new RegExp(`^${session.epoch}\\.`))

    await session.unlisten('room')
    t.same(await appended(elsewhere, 'room', batch('a', 3, 3)), [3])
    await other.heard(3)
    t.equal(witness.entries.length, 2)
  })

  test('only what is new is pushed', async (t, session, witness) => {
    await session.listen('room')
    await session.append('room', batch('a', 1, 2, { ids: ['x', 'y'] }), LASTING)
    const again = await session.append('room', batch('a', 2, 4, { ids: ['y', 'x', 'z'] }), LASTING)
    t.same(again.status === 'placed' && again.placed.map(({ receivers }) => receivers), [0, 0, 1])
    await witness.heard(3)
    t.same(
      witness.entries.map(({ body, offset }) => `${body.toString()}@${offset}`),
      ['a1@1', 'a2@2', 'a4@3'],
    )
  })

  test('who stops listening and listens again at once goes on listening', async (t, session, witness) => {
    await session.listen('room')
    const left = session.unlisten('room')
    await Promise.all([left, session.listen('room')])
    const leaving = session.listen('room')
    await Promise.all([leaving, session.unlisten('room'), session.listen('room')])
    await session.append('room', batch('a', 1, 1), LASTING)
    await witness.heard(1)
    await session.append('room', batch('a', 2, 2), LASTING)
    await witness.heard(2)
    t.equal(witness.entries.length, 2)
  })

  test('a push without history has no place', async (t, session, witness) => {
    const entry = { pid: 'a~', seq: 5, body: Buffer.from('now|\n') }
    t.equal(await session.push('room', entry), 0)
    await session.listen('room')
    t.equal(await session.push('room', entry), 1)
    await witness.heard(1)
    t.strictSame(witness.entries, [{ channel: 'room', epoch: session.epoch, offset: 0, ...entry }])
    t.equal((await session.read('room', 'start', 10)).top, 0)
  })

  test('reads from now, from the start and from a mark, page by page', async (t, session) => {
    const empty = await session.read('room', 'start', 10)
    t.match(empty, { top: 0, after: 0, gap: undefined, entries: [] })
    await appended(session, 'room', batch('a', 1, 200))
    t.match(await session.read('room', 'now', 10), { top: 200, after: 200, gap: undefined, entries: [] })
    const first = await session.read('room', 'start', 70)
    t.match(first, { top: 200, after: 0, gap: undefined })
    t.match(first.entries[69], { offset: 70, pid: 'a', seq: 70 })
    t.equal(first.entries.length, 70)
    const { epoch } = first
    t.same(first.chain, [{ epoch, offset: 0 }])
    const next = await session.read('room', [{ epoch, offset: 190 }], 70)
    t.match(next, { epoch, top: 200, after: 190, gap: undefined })
    t.same(
      next.entries.map(({ offset }) => offset),
      [191, 192, 193, 194, 195, 196, 197, 198, 199, 200],
    )
    t.match(await session.read('room', [{ epoch, offset: 200 }], 70), {
      after: 200,
      gap: undefined,
      entries: [],
    })
    t.equal(empty.epoch, epoch, 'the log had begun when it was first read')
  })

  test('a slice goes on behind its last entry', async (t, session) => {
    const body = randomBytes(1 << 20)
    for (let seq = 1; seq <= 12; seq++)
      await session.append('room', { pid: 'a', floor: 1, entries: [{ seq, body }] }, LASTING)
    const offsets: number[] = []
    for (let slice = await session.read('room', 'start', 100); slice.entries.length > 0;) {
      offsets.push(...slice.entries.map(({ offset }) => offset))
      slice = await session.read('room', [{ epoch: slice.epoch, offset: offsets.at(-1)! }], 100)
    }
    t.same(offsets, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  test('what is trimmed is a gap', async (t, session) => {
    for (let from = 1; from < 600; from += 60)
      await appended(session, 'room', batch('a', from, from + 59), { length: 100, ttl: 60_000 })
    const slice = await session.read('room', 'start', 1000)
    t.ok(slice.entries.length >= 100 && slice.entries.length < 300, `${slice.entries.length} are kept`)
    t.equal(slice.gap, undefined)
    t.equal(slice.entries.at(-1)?.offset, 600)
    const late = await session.read('room', [{ epoch: slice.epoch, offset: 5 }], 1000)
    const first = slice.entries[0]!.offset
    t.same(late.gap, { from: 6, to: first - 1, reason: 'trimmed' })
    t.same(late.entries, slice.entries)
  })

  test('what has been kept for its time is a gap', async (t, session) => {
    await appended(session, 'room', batch('a', 1, 5), { length: 100, ttl: 20 })
    await new Promise((resolve) => setTimeout(resolve, 60))
    const { epoch, top, entries } = await session.read('room', 'start', 10)
    t.match({ top, entries }, { top: 5, entries: [] })
    const late = await session.read('room', [{ epoch, offset: 2 }], 10)
    t.match(late, { gap: { from: 3, to: 5, reason: 'expired' }, entries: [] })
    t.same(await appended(session, 'room', batch('a', 6, 6)), [6], 'offsets and numbers go on')
    const after = await session.read('room', [{ epoch, offset: 2 }], 10)
    t.match(after, { gap: { from: 3, to: 5, reason: 'expired' }, entries: [{ offset: 6 }] })
    t.equal((await session.read('room', [{ epoch, offset: 5 }], 10)).gap, undefined)
  })

  test('what has expired does not come back with what is appended next', async (t, session) => {
    await appended(session, 'room', batch('a', 1, 5), { length: 100, ttl: 20 })
    await new Promise((resolve) => setTimeout(resolve, 60))
    t.same(await appended(session, 'room', batch('a', 6, 6)), [6])
    t.same(await bodies(session, 'room', 'start'), ['a6'])
  })

  test('a reader of another log gets all there is, and is told so', async (t, session) => {
    await appended(session, 'room', batch('a', 1, 3))
    const { epoch } = await session.read('room', 'now', 1)
    for (const mark of [
      { epoch: '9xdeadbeef.1', offset: 2 },
      { epoch, offset: 4 },
    ]) {
      const slice = await session.read('room', [mark], 10)
      t.match(slice, { after: 0, gap: { from: 0, to: 0, reason: 'unknown-epoch' } })
      t.equal(slice.entries.length, 3)
    }
    const known = await session.read(
      'room',
      [
        { epoch: 'unknown', offset: 9 },
        { epoch, offset: 2 },
      ],
      10,
    )
    t.match(known, { after: 2, gap: undefined, entries: [{ offset: 3 }] }, 'an older mark is known')
  })

  test('a big batch is appended in order', async (t, session, witness) => {
    await session.listen('room')
    const offsets = await appended(session, 'room', batch('a', 1, 5000), { length: 10_000, ttl: 60_000 })
    t.same(
      offsets,
      Array.from({ length: 5000 }, (_, index) => index + 1),
    )
    await witness.heard(5000)
    t.same(
      witness.entries.map(({ offset }) => offset),
      offsets,
    )
  })

  test('at the end, everything rejects', async (t, session, witness) => {
    await witness.transport.close()
    t.ok(session.signal.aborted)
    const over = { code: 'WSLB_RELAY_AWAY' }
    await t.rejects(session.append('room', batch('a', 1, 1), LASTING), over)
    await t.rejects(session.push('room', { pid: 'a', seq: 1, body: Buffer.from('') }), over)
    await t.rejects(session.read('room', 'now', 1), over)
    await t.rejects(session.listen('room'), over)
    await t.rejects(session.confirm(1), over)
    await witness.transport.close()
  })
}
