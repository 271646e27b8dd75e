import { brotliCompressSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { AnswerTap, tapFor } from '../../lib/proxy/answer-tap.ts'
import { type AnswerObserver } from '../../lib/sticky/answer-observer.ts'

interface Watcher extends AnswerObserver {
  readonly seen: string[]
}

/** Keeps what it is shown, and has enough at the first body that contains the text. */
function watcher(enough = 'ENOUGH', maxBody = 100): Watcher {
  const seen: string[] = []
  return {
    seen,
    maxBody,
    onHead: (status) => status === 200,
    onBody(body) {
      seen.push(body)
      return body.includes(enough)
    },
  }
}

function show(readers: AnswerObserver[], chunks: (string | Buffer)[], headers = {}, status = 200): void {
  const tap = new AnswerTap(readers)
  tap.onHead(status, headers)
  for (const chunk of chunks) tap.onData(Buffer.from(chunk as string))
  tap.onEnd()
}

t.test('the body is shown as it grows, until it is enough', async (t) => {
  const one = watcher('b')
  const other = watcher()
  show([one, other], ['a', 'b', 'c'])
  t.strictSame(one.seen, ['a', 'ab'])
  t.strictSame(other.seen, ['a', 'ab', 'abc', 'abc'])
})

t.test('who does not want the body does not get it', async (t) => {
  const one = watcher()
  show([one], ['a'], {}, 404)
  t.strictSame(one.seen, [])
})

t.test('no more is shown than was asked for', async (t) => {
  const one = watcher('x', 5)
  show([one], ['abc', 'defgh', 'ijk'])
  t.strictSame(one.seen, ['abc', 'abcde'])
})

t.test('a body in very many pieces is read some times, and at its end', async (t) => {
  const pieces = Array.from({ length: 90 }, () => 'a')
  const one = watcher()
  show([one], pieces)
  t.equal(one.seen.length, 33)
  t.equal(one.seen.at(-1)!.length, 90)
  const two = watcher()
  const tap = new AnswerTap([two])
  tap.onHead(200, { 'content-length': '90' })
  for (const piece of pieces) tap.onData(Buffer.from(piece))
  t.equal(two.seen.at(-1)!.length, 90, 'its length tells where the end is')
  tap.onEnd()
  t.equal(two.seen.length, 33)
})

t.test('what is shown is decompressed', async (t) => {
  const text = 'hello, hello, hello'
  for (const [coding, body] of [
    ['gzip', gzipSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ] as const) {
    const one = watcher('x', 1_000)
    const bytes = Array.from(body, (byte) => Buffer.from([byte]))
    show([one], bytes, { 'content-encoding': coding, 'content-length': `${body.length}` })
    t.equal(one.seen.at(-1), text, coding)
  }
  const none = watcher()
  show([none], ['abc'], { 'content-encoding': 'unheard-of' })
  t.strictSame(none.seen, [])
  show([none], ['not gzip'], { 'content-encoding': 'gzip' })
  t.strictSame(none.seen, [])
  show([none], [gzipSync('a'.repeat(1_000_000))], { 'content-encoding': 'gzip' })
  t.match(none.seen.join(), /^a+$/, 'of a bomb, the beginning')
})

t.test('nobody can throw', async (t) => {
  const fail = () => {
    throw new Error('broken')
  }
  const reject = () => Promise.reject(new Error('broken later')) as unknown as boolean
  const good = watcher()
  show(
    [
      { maxBody: 10, onHead: fail, onBody: fail },
      { maxBody: 10, onHead: () => true, onBody: fail },
      { maxBody: 10, onHead: () => true, onBody: reject },
      { maxBody: NaN, onHead: () => true, onBody: fail },
      { maxBody: 10, onHead: reject, onBody: fail },
      good,
    ],
    ['abc'],
  )
  t.strictSame(good.seen, ['abc', 'abc'])
})

t.test('where nobody asks there is no tap', async (t) => {
  t.equal(tapFor(undefined), undefined)
})
