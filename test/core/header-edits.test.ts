import t from 'tap'
import { HeaderEdits } from '../../lib/core/header-edits.ts'

t.test('set replaces, append adds, remove takes back, whatever the case of the name', async (t) => {
  const edits = new HeaderEdits()
  edits.append('X-A', '1').append('x-a', '2')
  t.strictSame(edits.added, [
    ['X-A', '1'],
    ['x-a', '2'],
  ])
  t.equal(edits.removes('x-a'), false)
  edits.set('X-a', '3')
  t.strictSame(edits.added, [['X-a', '3']])
  t.equal(edits.removes('x-a'), true, 'the one that was there goes')
  edits.remove('x-A')
  t.strictSame(edits.added, [])
})

t.test('what would break out of the header is refused', async (t) => {
  const edits = new HeaderEdits()
  for (const value of ['a\r\nSet-Cookie: b=c', 'a\nb', 'a\0b', 'snow ☃']) {
    t.throws(() => edits.append('x-a', value), { message: /x-a/ })
  }
  for (const name of ['', 'a b', 'a:b', 'a\r\n']) t.throws(() => edits.append(name, 'v'), TypeError)
  t.strictSame(edits.added, [])
})

t.test('where a message ends is not for a hook to say', async (t) => {
  const edits = new HeaderEdits()
  for (const name of ['Content-Length', 'transfer-encoding', 'Connection', 'Upgrade', 'Keep-Alive']) {
    t.throws(() => edits.set(name, '5'), { message: /set by the balancer/ })
  }
})
