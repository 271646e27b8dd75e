import { createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import { type Backend } from '../../lib/core/backend.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import { stickyCookie, type StickyCookieOptions } from '../../lib/sticky/cookie.ts'
import { DEFAULT_LIMITS, Memory } from '../../lib/sticky/memory.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

const blue = plainBackend('blue')
const green = plainBackend('10.0.0.1:3000')
const backends: ReadonlyMap<string, Backend> = new Map([blue, green].map((backend) => [backend.id, backend]))

// printf blue | openssl dgst -sha256 -hmac s3cret -binary | basenc --base64url, without its '='
const BLUE_TOKEN = '3QeMRMLkJOhQj_jZ2ygVC1ztSxzBZ2IR8jwRrIEmano'
// printf 10.0.0.1:3000 | openssl dgst -sha256 -hmac s3cret -binary | basenc --base64url, without its '='
const GREEN_TOKEN = 'dR3EO3zxSmD2PIj5fzVXXKErBnL2SGadXc-IzZAuijk'

const memory = new Memory(new ManualClock(), DEFAULT_LIMITS)

function find(strategy: StickyStrategy, cookie: string | undefined) {
  return strategy.find(plainRequest({ headers: { cookie } }), backends, memory)
}

function setCookie(options: StickyCookieOptions, secure = false): string {
  return stickyCookie({ secret: 's3cret', ...options }).remember!(plainRequest({ secure }), blue)[0]!
}

t.test('the cookie carries the HMAC-SHA256 of the id in base64url', async (t) => {
  t.equal(setCookie({}), `server=${BLUE_TOKEN}; Path=/; HttpOnly; SameSite=Lax`)
  t.equal(createHmac('sha256', 's3cret').update(green.id).digest('base64url'), GREEN_TOKEN)
})

t.test('it finds the backend of the token', async (t) => {
  const strategy = stickyCookie({ secret: 's3cret' })
  t.equal(find(strategy, `server=${BLUE_TOKEN}`), blue)
  t.equal(find(strategy, `theme=dark; server=${GREEN_TOKEN}; x=y`), green)
  t.equal(strategy.ownCookie, 'server')
})

t.test('forged, foreign, malformed and missing cookies are no cookie', async (t) => {
  const strategy = stickyCookie({ secret: 's3cret' })
  const forged = createHmac('sha256', 'guess').update('blue').digest('base64url')
  const headers = [
    undefined,
    '',
    ';;=;',
    'server',
    'server=',
    'server=blue',
    `server=${forged}`,
    'server=%E0%A4%A',
  ]
  for (const cookie of [
    ...headers,
    `server=${BLUE_TOKEN}x`,
    'server="',
    '__proto__=1; server=toString',
    '\x00=\xff',
  ]) {
    t.equal(find(strategy, cookie), undefined, JSON.stringify(cookie))
  }
  t.equal(find(strategy, `Server=${BLUE_TOKEN}`), undefined, 'names of cookies have a case')
})

t.test('of several cookies of the name, one that verifies counts', async (t) => {
  const strategy = stickyCookie({ secret: 's3cret' })
  t.equal(find(strategy, `server=old; a=b; server=${GREEN_TOKEN}`), green)
  t.equal(find(strategy, `server=${BLUE_TOKEN}; server=${GREEN_TOKEN}`), blue)
})

t.test('a cookie is set when it is new or changed, and not again', async (t) => {
  const given = (strategy: StickyStrategy, cookie?: string) =>
    strategy.remember!(plainRequest({ headers: { cookie } }), blue)
  const strategy = stickyCookie({ secret: 's3cret' })
  t.equal(given(strategy).length, 1, 'new')
  t.equal(given(strategy, `server=${GREEN_TOKEN}`).length, 1, 'of another backend')
  t.strictSame(given(strategy, `server=${BLUE_TOKEN}`), [])
  t.strictSame(given(strategy, `server=stale; server=${BLUE_TOKEN}`), [], 'beside one of another path')
  const rotated = stickyCookie({ secret: ['new', 's3cret'] })
  t.equal(given(rotated, `server=${BLUE_TOKEN}`).length, 1, 'signed with the old secret')
})

t.test('of several secrets the first signs and all verify', async (t) => {
  const rotated = stickyCookie({ secret: ['new', 's3cret'] })
  t.equal(find(rotated, `server=${BLUE_TOKEN}`), blue)
  const [fresh] = rotated.remember!(plainRequest(), blue)
  t.equal(find(stickyCookie({ secret: 'new' }), fresh!.split(';')[0]), blue)
  t.equal(find(stickyCookie({ secret: 's3cret' }), fresh!.split(';')[0]), undefined)
})

t.test('without a secret every strategy of the process agrees, and nobody can guess', async (t) => {
  const [value] = stickyCookie().remember!(plainRequest(), blue)
  t.equal(find(stickyCookie({}), value!.split(';')[0]), blue, 'as after a reload')
  t.not(value, stickyCookie({ secret: 'undefined' }).remember!(plainRequest(), blue)[0])
})

t.test('it follows the members of the pool', async (t) => {
  const strategy = stickyCookie({ secret: 's3cret' })
  t.equal(find(strategy, `server=${GREEN_TOKEN}`), green)
  const request = plainRequest({ headers: { cookie: `server=${GREEN_TOKEN}` } })
  t.equal(strategy.find(request, new Map([['blue', blue]]), memory), undefined)
})

t.test('Secure follows the client, an option, or what the browser demands', async (t) => {
  t.match(setCookie({}, true), /; Secure/)
  t.notMatch(setCookie({}, false), /Secure/)
  t.notMatch(setCookie({ secure: false }, true), /Secure/)
  t.match(setCookie({ secure: true }, false), /; Secure/)
  t.match(setCookie({ sameSite: 'none', secure: false }), /; Secure; SameSite=None/)
  t.match(setCookie({ partitioned: true }), /Secure.*Partitioned|Partitioned.*Secure/)
})

t.test('crossSite is what browsers ask of a cookie in a page of another site', async (t) => {
  const attributes = setCookie({ crossSite: true }).split('; ').sort()
  t.strictSame(attributes, [
    'HttpOnly',
    'Partitioned',
    'Path=/',
    'SameSite=None',
    'Secure',
    `server=${BLUE_TOKEN}`,
  ])
  t.equal(
    setCookie({ crossSite: true, sameSite: 'none', secure: true, partitioned: true }),
    setCookie({ crossSite: true }),
  )
  for (const contradiction of [{ sameSite: 'lax' }, { secure: false }, { partitioned: false }] as const) {
    const options = { crossSite: true, ...contradiction }
    t.throws(() => stickyCookie(options), { message: /leave out sameSite/ }, inspect(options))
  }
  t.equal(setCookie({ crossSite: false }), setCookie({}))
})

t.test('name, path, domain, maxAge and sameSite are settable', async (t) => {
  const options = {
    name: 'lb',
    path: '/chat',
    domain: 'example.com',
    maxAge: '1h',
    sameSite: 'strict',
  } as const
  const attributes = setCookie(options).split('; ')
  t.same(attributes.sort(), [
    'Domain=example.com',
    'HttpOnly',
    'Max-Age=3600',
    'Path=/chat',
    'SameSite=Strict',
    `lb=${BLUE_TOKEN}`,
  ])
  t.match(setCookie({ maxAge: 1 }), /Max-Age=1;/, 'never rounded down to a cookie that is gone at once')
})

t.test('options that are not valid are refused when the strategy is made', async (t) => {
  const wrong: unknown[] = [
    { secret: '' },
    { secret: process.env.WSLB_TEST_UNSET },
    { secret: [process.env.WSLB_TEST_UNSET] },
    { secret: [] },
    { secret: ['good', 7] },
    { name: 'a b' },
    { name: 'a;b' },
    { domain: 'no domain' },
    { path: 'a;b' },
    { maxAge: '1 day' },
    { sameSite: 'sometimes' },
  ]
  for (const options of wrong) {
    t.throws(() => stickyCookie(options as StickyCookieOptions), ConfigError, inspect(options))
  }
})
