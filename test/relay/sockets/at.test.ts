import t from 'tap'
import { atOf, positionAt } from '../../../lib/relay/sockets/at.ts'
import { ResumeToken } from '../../../lib/relay/sockets/resume-token.ts'

const EPOCH = '12xa1b2c3d4e5f6'
const pid = (index: number) => `k3J9xQ2mLp7R_-0${String.fromCharCode(97 + (index % 26))}`

t.test('a place is written and read', async (t) => {
  const plain = { epoch: EPOCH, offset: 0, trail: [], seen: {} }
  t.equal(atOf(plain), `0:${EPOCH}`)
  t.strictSame(positionAt(atOf(plain)), plain)
  const full = {
    epoch: EPOCH,
    offset: 123_456,
    trail: [{ epoch: '11xa1b2c3d4e5f6.2', offset: 123_000 }],
    seen: { [pid(1)]: 40_000, [`~${pid(2)}`]: 7 },
  }
  t.strictSame(positionAt(atOf(full)), full)
  t.equal(atOf(full), `2n9c:${EPOCH},2mwo:11xa1b2c3d4e5f6.2;${pid(1)}:uv4,~${pid(2)}:7`)
})

t.test('what it takes: 20 bytes, 21 more for each publisher of late', async (t) => {
  const length = (publishers: number) =>
    atOf({
      epoch: EPOCH,
      offset: 123_456,
      seen: Object.fromEntries(Array.from({ length: publishers }, (_, index) => [pid(index), 40_000])),
    }).length
  t.same([length(0), length(1), length(3)], [20, 41, 83])
})

t.test('of many publishers the latest are kept, of many epochs the last two', async (t) => {
  const seen = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`publisher-${index}`, index + 1]),
  )
  const trail = [3, 2, 1].map((term) => ({ epoch: `${term}xa`, offset: term }))
  const read = positionAt(atOf({ epoch: '4xa', offset: 4, trail, seen }))!
  t.same(read.trail, trail.slice(0, 1))
  t.equal(Object.keys(read.seen!).length, 32)
  t.equal(read.seen!['publisher-99'], 100)
})

t.test('what is no place is none', async (t) => {
  const good = `1:${EPOCH};${pid(1)}:1`
  t.ok(positionAt(good))
  const bad: unknown[] = ['', '1', ':', `:${EPOCH}`, `1:${EPOCH};`, `1:${EPOCH},`, `-1:${EPOCH}`, `1.5:${EPOCH}`, `1:${EPOCH} `, `1:${EPOCH}\n`, `zzzzzzzzzzz:${EPOCH}`, `1:a,1:b,1:c`, `1:${'x'.repeat(65)}`, `1:{a}`, `1:a;b:c:d`, `1:a;b`, 'x'.repeat(5_000), `1:a;${Array.from({ length: 33 }, (_, index) => `p${index}:1`).join()}`, null, undefined, 7, {}, [], ['1:a'], { toString: () => good }] // prettier-ignore
  for (const at of bad) t.equal(positionAt(at), undefined, JSON.stringify(at)?.slice(0, 40))
  t.equal(positionAt('1:a;__proto__:5')?.offset, 1)
})

t.test('a token: none, good, and bad', async (t) => {
  for (const none of [undefined, null, '', '{}']) t.equal(new ResumeToken(none).take('room'), undefined)
  const token = new ResumeToken(JSON.stringify({ room: `5:${EPOCH}`, den: 'nonsense' }))
  t.match(token.take('room'), { epoch: EPOCH, offset: 5 })
  t.equal(token.take('room'), undefined, 'once')
  t.equal(token.take('den'), 'bad')
  t.equal(token.take('elsewhere'), undefined)
  for (const name of ['constructor', '__proto__', 'toString']) t.equal(token.take(name), undefined)
  const bad: unknown[] = [
    '{',
    'null',
    '[]',
    '7',
    '"room"',
    `{"room":"${'x'.repeat(70_000)}"}`,
    7,
    {},
    Symbol('x'),
  ]
  for (const text of bad)
    t.equal(new ResumeToken(text as string).take('room'), 'bad', String(text).slice(0, 20))
})
