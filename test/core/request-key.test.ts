import t from 'tap'
import { ConfigError } from '../../lib/core/errors.ts'
import {
  clientIp,
  cookieValue,
  header,
  keyFor,
  pathSegment,
  query,
  type RequestKey,
} from '../../lib/core/request-key.ts'
import { plainRequest } from '../support/plain.ts'

const ip = (clientAddress: string, key = clientIp()) => key(plainRequest({ clientAddress }))

t.test('clientIp is the address, or the network it is in', async (t) => {
  t.equal(ip('192.0.2.77'), '192.0.2.77/32')
  t.equal(ip('192.0.2.77', clientIp({ v4: 24 })), '192.0.2.0/24')
  t.equal(ip('192.0.2.77', clientIp({ v4: 20 })), '192.0.0.0/20')
  t.equal(ip('255.255.255.255', clientIp({ v4: 1 })), '128.0.0.0/1')
  t.equal(ip('192.0.2.77', clientIp({ v4: 0 })), '0.0.0.0/0')
  t.equal(ip('2001:db8:0:7:1:2:3:4'), '2001:db8:0:7/64')
  t.equal(ip('2001:db8:0:7:1:2:3:4', clientIp({ v6: 52 })), '2001:db8:0:0/52')
  t.equal(ip('::1', clientIp({ v6: 128 })), '0:0:0:0:0:0:0:1/128')
})

t.test('however an address is spelt, its network is one', async (t) => {
  for (const spelt of ['2001:DB8::7:1', '2001:0db8:0000:0000:0::9', '2001:db8::%eth0', '2001:db8::192.0.2.1'])
    t.equal(ip(spelt), '2001:db8:0:0/64', spelt)
  for (const mapped of ['::ffff:192.0.2.77', '::FFFF:c000:24d', '0:0:0:0:0:ffff:192.0.2.77'])
    t.equal(ip(mapped), '192.0.2.77/32', mapped)
})

t.test('what is no address is no key', async (t) => {
  const nonsense = [
    '',
    'unknown',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '1.2.3.4:80',
    ':',
    ':::',
    '1::2::3',
  ]
  for (const text of [
    ...nonsense,
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::12345',
    '1:2:3:4:5:6:7:1.2.3.4',
    'g::',
  ])
    t.equal(ip(text), undefined, text)
})

t.test('header, query, path and cookie', async (t) => {
  const request = plainRequest({
    url: '/docs/room%207/%zz?room=a%26b&room=c&empty=',
    headers: { 'x-user': 'ann', 'set-cookie': ['a', 'b'], cookie: 'theme=dark; sid=s1' },
  })
  const values: [RequestKey, string | undefined][] = [
    [header('X-User'), 'ann'],
    [header('x-other'), undefined],
    [header('set-cookie'), 'a, b'],
    [query('room'), 'a&b'],
    [query('none'), undefined],
    [query('empty'), ''],
    [pathSegment(1), 'docs'],
    [pathSegment(2), 'room 7'],
    [pathSegment(3), '%zz'],
    [pathSegment(4), undefined],
    [pathSegment(-1), '%zz'],
    [pathSegment(-3), 'docs'],
    [pathSegment(-4), undefined],
    [cookieValue('sid'), 's1'],
    [cookieValue('none'), undefined],
  ]
  for (const [key, value] of values) t.equal(key(request), value)
  t.equal(keyFor(request, query('empty')), undefined, 'an empty one is none')
  t.equal(keyFor(plainRequest(), pathSegment(1)), undefined)
})

t.test('a key of the user must be a string, or nothing', async (t) => {
  const given = (value: unknown) => () => keyFor(plainRequest(), (() => value) as RequestKey)
  t.equal(given(undefined)(), undefined)
  t.equal(given(null)(), undefined)
  for (const odd of [7, {}, Symbol('x'), Object.create(null)])
    t.throws(given(odd), { code: 'WSLB_INTERNAL', message: /must be a string/ })
  const later = given(Promise.reject(new Error('later')))
  t.throws(later, { code: 'WSLB_INTERNAL', message: /a key returned a promise/ })
})

t.test('arguments that are not valid are refused at once, with what is', async (t) => {
  const wrong: [() => unknown, RegExp][] = [
    [() => clientIp({ v4: 33 }), /clientIp: got 33; .* v4 .* 0 to 32/],
    [() => clientIp({ v6: -1 }), /v6 .* 0 to 128/],
    [() => clientIp({ v4: 1.5 }), /0 to 32/],
    [() => header(''), /header: .*name of a header/],
    [() => header('x y'), /name of a header/],
    [() => header(undefined as unknown as string), /name of a header/],
    [() => query(''), /query: .*name of a query parameter/],
    [() => pathSegment(0), /pathSegment: got 0; .*1 for the first/],
    [() => pathSegment(NaN), /whole number/],
    [() => cookieValue('a;b'), /name of a cookie/],
  ]
  for (const [make, message] of wrong) {
    t.throws(make, ConfigError)
    t.throws(make, { message })
  }
})
