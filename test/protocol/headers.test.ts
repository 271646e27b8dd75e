import t from 'tap'
import { acceptFor, asksForWebSocket, checkHandshake } from '../../lib/protocol/handshake.ts'
import { listTokens, requestHeaders, responseHeaders, withoutCookies } from '../../lib/protocol/headers.ts'
import { ACCEPT, KEY } from '../support/clients.ts'
import { plainRequest } from '../support/plain.ts'

t.test('the accept of RFC 6455 §1.3', async (t) => t.equal(acceptFor(KEY), ACCEPT))

t.test('a WebSocket is asked for by token, in any case and any place of the list', async (t) => {
  for (const yes of ['websocket', 'WebSocket', 'h2c, websocket', 'foo/1,WEBSOCKET '])
    t.ok(asksForWebSocket(yes), yes)
  for (const no of [undefined, '', 'h2c', 'websockets', 'web socket'])
    t.notOk(asksForWebSocket(no), String(no))
})

t.test('keys are one canonical base64 value of 16 bytes', async (t) => {
  const withKey = (key: string) =>
    plainRequest({
      httpVersion: '1.1',
      rawHeaders: [
        'Connection',
        'keep-alive, Upgrade',
        'Sec-WebSocket-Version',
        '13',
        'Sec-WebSocket-Key',
        key,
      ],
    })
  t.equal(checkHandshake(withKey(KEY)), KEY)
  for (const bad of ['', 'AAAA', 'AAAAAAAAAAAAAAAAAAAAAB==', `${KEY}x`, KEY.slice(0, -1), `${KEY}, ${KEY}`]) {
    t.throws(() => checkHandshake(withKey(bad)), { code: 'WSLB_BAD_HANDSHAKE' }, bad)
  }
})

t.test('lists are split, trimmed and lowered', async (t) => {
  t.same(listTokens(['A, b ,,', 'C']), ['a', 'b', 'c'])
  t.same(listTokens([]), [])
})

t.test('a cookie is taken out and every other byte stays', async (t) => {
  t.equal(withoutCookies('a=1; server=x; b="2; 3"', ['server']), 'a=1; b="2; 3"')
  t.equal(withoutCookies('server=x', ['server']), '')
  t.equal(withoutCookies('server=x; server=y; z=server', ['server']), 'z=server')
  t.equal(withoutCookies('myserver=x;  odd', ['server']), 'myserver=x;  odd')
})

t.test('what a client sends goes on with its own spelling and order', async (t) => {
  const request = plainRequest({
    rawHeaders: ['HOST', 'example.test', 'x-A', '1', 'X-a', '2', 'Expect', '100-continue'],
  })
  t.same(requestHeaders(request, []).slice(0, 6), ['HOST', 'example.test', 'x-A', '1', 'X-a', '2'])
})

t.test('edits of hooks come last, and cannot split a field', async (t) => {
  const request = plainRequest({ rawHeaders: ['X-A', '1'] })
  request.toBackend.set('x-a', '2').append('x-a', '3')
  t.same(requestHeaders(request, []).slice(-4), ['x-a', '2', 'x-a', '3'])
  t.throws(() => request.toBackend.set('x', 'a\r\nb: c'), TypeError)
  t.throws(() => request.toBackend.set('x y', 'a'), TypeError)
})

t.test('a response keeps its fields, and ours are appended', async (t) => {
  const raw = [
    'Set-Cookie',
    'a=1',
    'Connection',
    'X-Hop, close',
    'X-Hop',
    '1',
    'Transfer-Encoding',
    'chunked',
  ]
  t.same(responseHeaders(raw, ['server=x'], undefined), ['Set-Cookie', 'a=1', 'Set-Cookie', 'server=x'])
})
