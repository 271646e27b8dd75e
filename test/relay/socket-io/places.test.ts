import t from 'tap'
import { Journal } from '../../../lib/relay/socket-io/journal.ts'
import { Tokens } from '../../../lib/relay/socket-io/tokens.ts'
import { ManualClock } from '../../support/clock.ts'

const at = (epoch: string, offset: number) => ({ epoch, offset, channel: 'c', id: 'i', data: '' })

/** After a change of epoch: where the old one ended. */
const after = (epoch: string, offset: number) => () => ({
  epoch: 'new',
  offset: offset + 1,
  trail: [{ epoch, offset }],
})

t.test('a place is named alike on every node', async (t) => {
  const clock = new ManualClock()
  const [a, b] = [new Tokens(clock), new Tokens(clock)]
  t.equal(
    a.next(at('e1', 7), () => undefined),
    b.next(at('e1', 7), () => undefined),
  )
})

t.test('a new epoch that took nothing along changes nothing', async (t) => {
  const tokens = new Tokens(new ManualClock())
  tokens.next(at('e1', 7), () => undefined)
  t.equal(tokens.next(at('e2', 8), after('e1', 7)), 'e2/8')
})

t.test('while what a master took along comes again, no token says where a client is', async (t) => {
  const clock = new ManualClock()
  const tokens = new Tokens(clock)
  tokens.next(at('e1', 7), () => undefined)
  t.equal(tokens.next(at('e2', 6), after('e1', 5)), '')
  await clock.advance(59_000)
  t.equal(tokens.next(at('e2', 7), after('e1', 5)), '')
  await clock.advance(1_000)
  t.equal(tokens.next(at('e2', 8), after('e1', 5)), 'e2/8')
  t.equal(
    tokens.next(at('e9', 1), () => undefined),
    '',
    'nor where the old epoch is not known at all',
  )
})

t.test('the journal holds so many packets, and so many bytes', async (t) => {
  const journal = new Journal({ length: 3, bytes: 100 })
  const add = (token: string, size = 1, room?: string) => {
    const rooms = new Set(room ? [room] : [])
    journal.add({ token, data: [token], rooms, except: new Set(['muted']), size })
  }
  for (const token of ['a', 'b', 'c', 'd']) add(token)
  t.equal(journal.behind('a'), undefined, 'trimmed')
  t.strictSame(journal.since(journal.behind('b')!, []), [['c'], ['d']])
  add('big', 99, 'room')
  t.equal(journal.behind('c'), undefined, 'too many bytes')
  t.strictSame(journal.since(journal.behind('d')!, []), [], 'for a room')
  t.strictSame(journal.since(journal.behind('d')!, ['room']), [['big']])
  t.strictSame(journal.since(journal.behind('d')!, ['room', 'muted']), [])
  add('')
  t.equal(journal.behind(''), undefined)
  const { end } = journal
  journal.clear()
  t.equal(journal.since(end, []), undefined, 'nobody goes on from before a gap')
  add('e')
  t.strictSame(journal.since(journal.behind('e')!, []), [])
})
