import t from 'tap'
import { type Config } from '../../lib/config/config.ts'
import { healthOf } from '../../lib/health/options.ts'
import { ConfigError } from '../../lib/core/errors.ts'
import { resolveConfig, resolveDrain } from '../../lib/config/resolve.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

/** Every problem of a config, as path → message. */
function problemsOf(config: unknown): Record<string, string> {
  try {
    resolveConfig(config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]))
  }
  return {}
}

const minimal = { backends: ['http://127.0.0.1:3000'] }

t.test('the smallest config gets every default', async (t) => {
  const config = resolveConfig(minimal)
  t.same(
    { ...config, pools: undefined },
    {
      listen: [],
      limits: { headersTimeout: 10_000, keepAliveTimeout: 65_000 },
      pools: undefined,
      routes: [{ name: '*', pool: 'default', host: undefined, path: undefined }],
      drain: { over: 30_000, code: 1012, reason: 'service restart', order: 'idle-first', deadline: 60_000 },
      websocket: {
        ...{ ping: 30_000, handshakeTimeout: 10_000, idleTimeout: false, maxAge: false, closeTimeout: 5_000 },
      },
      timeouts: { connect: 5_000, response: 120_000, body: 60_000, hook: 10_000 },
      attempts: 3,
      admission: { maxWait: 1_000, browsers: false },
      trustProxy: false,
      hooks: {},
      log: undefined,
    },
  )
  const [pool] = config.pools
  t.equal(config.pools.length, 1)
  t.equal(pool!.name, 'default')
  t.equal(pool!.policy.name, 'random')
  t.same(
    pool!.sticky.map(({ ownCookie }) => ownCookie),
    ['server'],
  )
  t.equal(pool!.rebalance, undefined)
  t.same(pool!.retryBudget, { share: 0.5, minPerSecond: 10, window: 10_000 })
  t.match(pool!.health, {
    ...{
      interval: { up: 10_000 },
      timeout: 5_000,
      debounce: 10_000,
      rise: 1,
      lastResort: true,
      onDown: 'drain',
    },
    ...{ probe: 'http', fall: 1 },
    ...{ panicThreshold: 0, ejection: { failures: 5, earlyClose: 5_000, errors: false, time: 10_000 } },
  })
  const [backend] = pool!.backends
  t.equal(backend!.id, '127.0.0.1:3000')
  t.same(backend!.settings, {
    ...{
      weight: 1,
      maxConnections: Infinity,
      maxHandshakesPerSecond: Infinity,
      backup: false,
      tls: undefined,
    },
  })
  const named = resolveConfig({ backends: [{ url: 'http://127.0.0.1:3000' }] }).pools[0]!.backends[0]!
  t.same(named.settings, backend!.settings, 'a url alone is an object with a url')
})

t.test('every option arrives, durations in milliseconds', async (t) => {
  const policy = { name: 'mine', pick: () => plainBackend('a') }
  const strategy = { name: 'mine', find: () => undefined }
  const probe = async () => {}
  const onRequest = () => {}
  const config = resolveConfig({
    listen: [8080, { port: 0, host: '::1' }],
    backends: [
      {
        id: 'blue',
        url: 'https://10.0.0.2',
        weight: 2,
        maxConnections: 5,
        maxHandshakesPerSecond: 200,
        backup: true,
        tls: { servername: 'x' },
      },
    ],
    balance: policy,
    sticky: [strategy, 'cookie'],
    health: {
      ...{ probe, interval: '1m', timeout: '500ms', debounce: 0, fall: 3, rise: 2, lastResort: false },
      ...{ onDown: 'keep', port: 9000 },
      ejection: { failures: 3, earlyClose: false, errors: {}, time: '10m', maxShare: 0.2 },
      panicThreshold: 0.5,
    },
    rebalance: { tolerance: 0, perMinute: 600, minAge: '5s' },
    retryBudget: false,
    pools: {
      chat: { backends: ['http://[::1]:81'], balance: 'p2c', sticky: false, health: false, rebalance: {} },
    },
    routes: [{ host: '*.Example.com', path: '/chat/*', pool: 'chat' }, { pool: 'default' }],
    drain: { over: '1s', code: 4000, reason: '', order: 'random', deadline: '1.5m' },
    websocket: { ping: false, handshakeTimeout: '1s', idleTimeout: '1h', maxAge: '24h', closeTimeout: 7 },
    timeouts: { connect: 1, response: '1h', headers: '1s', body: '4s', keepAlive: '2s', hook: '3s' },
    attempts: 1,
    admission: { maxWait: '2s', browsers: 'close-1013' },
    trustProxy: ['10.0.0.0/8', '::1'],
    hooks: { onRequest },
    log: 'debug',
  })
  t.same(config.listen, [
    { port: 8080, host: '0.0.0.0', tls: undefined },
    { port: 0, host: '::1', tls: undefined },
  ])
  const named = Object.fromEntries(config.pools.map((pool) => [pool.name, pool]))
  t.equal(named.default!.policy, policy)
  t.equal(named.default!.sticky[0], strategy)
  t.same(named.default!.health, {
    ...{
      probe,
      interval: { up: 60_000 },
      timeout: 500,
      debounce: 0,
      rise: 2,
      lastResort: false,
      onDown: 'keep',
    },
    ...{ fall: 3, port: 9000 },
    ejection: {
      ...{ failures: 3, earlyClose: false, time: 600_000, maxTime: 600_000, maxShare: 0.2 },
      errors: { share: 0.5, min: 20, window: 10_000 },
    },
    panicThreshold: 0.5,
  })
  t.match(named.default!.backends, [
    { id: 'blue', settings: { weight: 2, maxConnections: 5, maxHandshakesPerSecond: 200, backup: true } },
  ])
  t.equal(named.chat!.backends[0]!.id, '[::1]:81')
  t.equal(named.chat!.policy.name, 'p2c')
  t.same(named.chat!.sticky, [])
  t.equal(named.chat!.health, undefined)
  t.same(named.default!.rebalance, { tolerance: 0, perMinute: 600, minAge: 5_000 })
  t.equal(named.default!.retryBudget, undefined)
  t.same(named.chat!.rebalance, { tolerance: 0.1, perMinute: 60, minAge: 60_000 }, 'with the defaults')
  t.match(config.routes[0], {
    ...{ name: '*.example.com/chat/*', host: '*.example.com', path: '/chat/*', pool: 'chat' },
  })
  t.same(config.drain, { over: 1_000, code: 4000, reason: '', order: 'random', deadline: 90_000 })
  t.same(config.websocket, {
    ...{ ping: false, handshakeTimeout: 1_000, idleTimeout: 3_600_000, maxAge: 86_400_000, closeTimeout: 7 },
  })
  t.same(config.timeouts, { connect: 1, response: 3_600_000, body: 4_000, hook: 3_000 })
  t.same(config.limits, { headersTimeout: 1_000, keepAliveTimeout: 2_000 })
  t.same(config.admission, { maxWait: 2_000, browsers: 'close-1013' })
  t.same(config.trustProxy, ['10.0.0.0/8', '::1'])
  t.equal(config.hooks.onRequest, onRequest)
})

t.test('a route has the message hook of its own, or that of all, or none', async (t) => {
  const [all, own] = [() => {}, () => {}]
  const rulesOf = (onMessage: unknown, ...routes: unknown[]) =>
    resolveConfig({
      ...minimal,
      hooks: onMessage ? { onMessage } : {},
      ...(routes.length > 0 && {
        routes: routes.map((hooks, index) => ({ path: `/${index}`, pool: 'default', ...(hooks as object) })),
      }),
    }).routes.map(({ onMessage }) => onMessage)
  const defaults = { maxSize: 1_048_576, concurrency: 16, from: 'both' }
  t.same(rulesOf(undefined), [undefined])
  t.same(rulesOf(all), [{ hook: all, ...defaults }])
  const options = { hook: own, maxSize: 10, concurrency: 1, from: 'client' }
  const routes = [{}, { hooks: {} }, { hooks: { onMessage: options } }, { hooks: { onMessage: false } }]
  const [first, second, third, fourth] = rulesOf(all, ...routes)
  t.equal(first!.hook, all)
  t.equal(second!.hook, all)
  t.same(third, options)
  t.equal(fourth, undefined)
  t.match(rulesOf(undefined, {}, { hooks: { onMessage: own } }), [undefined, { hook: own }])
})

t.test('a drain leaves the last ones it closes their time to answer', async (t) => {
  const planOf = (drain: object, closeTimeout = '5s') => {
    const { over, deadline } = resolveConfig({ ...minimal, drain, websocket: { closeTimeout } }).drain
    return { over, deadline }
  }
  t.same(planOf({}), { over: 30_000, deadline: 60_000 })
  t.same(planOf({ over: '5m' }), { over: 300_000, deadline: 330_000 }, 'a longer one gets a later deadline')
  t.same(planOf({ over: '30s', deadline: '30s' }), { over: 25_000, deadline: 30_000 })
  t.same(planOf({ deadline: '8s' }), { over: 4_000, deadline: 8_000 }, 'half of the time at least')
  t.same(planOf({ over: 0, deadline: 0 }), { over: 0, deadline: 0 })

  const config = resolveConfig({ ...minimal, drain: { over: '4s', deadline: '10s', reason: 'deploy' } })
  const asked = (drain: object) => resolveDrain(drain, config)
  t.match(asked({}), { over: 4_000, deadline: 10_000, reason: 'deploy', code: 1012 }, 'what the config says')
  t.match(asked({ over: '1s' }), { over: 1_000, deadline: 10_000 })
  t.match(asked({ over: '20s' }), { over: 20_000, deadline: 50_000 })
  t.match(asked({ deadline: '6s' }), { over: 3_000, deadline: 6_000 })
  t.throws(() => asked({ over: '2m', deadline: '6s' }), {
    message: /^over: is longer than the deadline of 6000 ms/,
  })
  t.throws(() => asked({ ovr: 1 }), { message: 'ovr: unknown key, did you mean "over"?' })
})

t.test('all problems are told at once, those between the parts too', async (t) => {
  const problems = problemsOf({
    lisen: 80,
    listen: { port: 70_000 },
    backends: [
      { url: 'http://a:1', weigth: 2, id: 'x' },
      { url: 'http://b:1', weight: -1, id: 'x' },
      'nonsense',
    ],
    drain: { code: 1011 },
    routes: [{ pool: 'defualt' }],
  })
  t.same(Object.keys(problems).sort(), [
    'backends[0].weigth',
    'backends[1]',
    'backends[1].weight',
    'backends[2]',
    'drain.code',
    'lisen',
    'listen.port',
    'routes[0].pool',
  ])
  t.equal(problems.lisen, 'unknown key, did you mean "listen"?')
  t.equal(problems['backends[0].weigth'], 'unknown key, did you mean "weight"?')
  t.equal(problems['backends[1].weight'], 'got -1; expected 0, or a number from 0.000001 to 1,000,000')
  t.equal(problems['backends[1]'], 'has the same id "x" as backends[0]; give one of them another id')
  t.equal(problems['routes[0].pool'], 'there is no pool "defualt", did you mean "default"?')
})

t.test('the message of the error has a line for each problem', async (t) => {
  t.throws(() => resolveConfig({ ...minimal, attempts: 0, drian: {} }), {
    code: 'WSLB_CONFIG_INVALID',
    message: 'attempts: got 0; expected a whole number, 1 or more\ndrian: unknown key, did you mean "drain"?',
  })
})

t.test('an unknown key that is like no other names those that exist', async (t) => {
  t.match(
    problemsOf({ ...minimal, drain: { zzz: 1 } })['drain.zzz'],
    'known are over, code, reason, order, deadline',
  )
})

/** One backend with a health of its own. */
function withHealth(own: unknown, health: unknown = {}) {
  return { backends: [{ url: 'http://a', health: own }], health }
}

t.test('what is wrong is said in the words of the option', async (t) => {
  const cases: [config: object, path: string, message: RegExp][] = [
    [{ backends: ['localhost:3000'] }, 'backends[0]', /did you mean "http:\/\/localhost:3000"/],
    [{ backends: ['10.0.0.1:3000'] }, 'backends[0]', /did you mean "http:\/\/10\.0\.0\.1:3000"/],
    [{ backends: ['wss://a'] }, 'backends[0]', /write "https:\/\/a"/],
    [{ backends: ['http://a/path'] }, 'backends[0]', /write "http:\/\/a"/],
    [{ backends: ['http://a?b'] }, 'backends[0]', /write "http:\/\/a"/],
    [{ backends: ['http://me:pw@a'] }, 'backends[0]', /user name or password/],
    [{ backends: ['ftp://a'] }, 'backends[0]', /^got "ftp:\/\/a"; expected a url/],
    [{ backends: [7] }, 'backends[0]', /^got 7; expected a url/],
    [{ backends: [{}] }, 'backends[0].url', /^is missing/],
    [{ backends: 'http://a' }, 'backends', /^got "http:\/\/a"; expected a list/],
    [{ backends: [{ url: 'http://a', weight: NaN }] }, 'backends[0].weight', /^got NaN/],
    [{ backends: [{ url: 'http://a', maxConnections: 0.5 }] }, 'backends[0].maxConnections', /^got 0.5/],
    [
      { backends: [{ url: 'http://a', maxHandshakesPerSecond: 0 }] },
      'backends[0].maxHandshakesPerSecond',
      /^got 0; expected a whole number, 1 or more/,
    ],
    [{ backends: [{ url: 'http://a', backup: 'yes' }] }, 'backends[0].backup', /true or false/],
    [{ backends: [{ url: 'http://a', id: '' }] }, 'backends[0].id', /1 to 255 printable characters/],
    [{ backends: [{ url: 'http://a', id: 'x'.repeat(256) }] }, 'backends[0].id', /printable/],
    [
      { backends: [{ url: 'http://a', id: 'a\u009b2J\n\u202eb' }] },
      'backends[0].id',
      /^got "a\\u\{9b\}2J\\n\\u\{202e\}b"; expected .* printable/,
    ],
    [{ backends: [`http://${'a'.repeat(1_000_000)}`] }, 'backends[0]', /^.{60,100}host name is too long$/],
    [{ backends: [{ url: 'http://a', tls: {} }] }, 'backends[0].tls', /only for an https/],
    [{ backends: [{ url: 'https://a', tls: { ca: './ca.pem' } }] }, 'backends[0].tls.ca', /PEM text/],
    [{ backends: ['http://a', 'http://a:80'] }, 'backends[1]', /same id "a:80" as backends\[0\]/],
    [{ ...minimal, balance: 'round-robbin' }, 'balance', /did you mean "round-robin"/],
    [{ ...minimal, balance: {} }, 'balance', /pick function/],
    [{ ...minimal, sticky: 'cookies' }, 'sticky', /did you mean "cookie"/],
    [{ ...minimal, sticky: 'socketio' }, 'sticky', /did you mean "socket.io"/],
    [
      { ...minimal, sticky: true },
      'sticky',
      /^got true; expected "cookie", "socket.io", .*, a strategy .* or false/,
    ],
    [{ ...minimal, sticky: ['cookie', {}] }, 'sticky[1]', /find function/],
    [{ ...minimal, health: { interval: 0 } }, 'health.interval', /^got 0; .*above 0/],
    [{ ...minimal, health: { timeout: '5 sec' } }, 'health.timeout', /"500ms", "10s", "5m", "1h"/],
    [{ ...minimal, health: { probe: 'htpp' } }, 'health.probe', /did you mean "http"/],
    [{ ...minimal, health: { probe: 1 } }, 'health.probe', /"http", "tcp", "websocket", or a function/],
    [
      { ...minimal, health: { probe: 'tcp', path: '/' } },
      'health.path',
      /only for probe "http" or "websocket"/,
    ],
    [{ ...minimal, health: { probe: 'websocket', expect: 200 } }, 'health.expect', /only for probe "http"$/],
    [{ ...minimal, health: { ping: true } }, 'health.ping', /only for probe "websocket"/],
    [{ ...minimal, health: { port: 0 } }, 'health.port', /1 to 65535/],
    [{ ...minimal, health: { fall: 0 } }, 'health.fall', /1 or more/],
    [{ ...minimal, health: { interval: { dwon: '1s' } } }, 'health.interval.dwon', /did you mean "down"/],
    [{ ...minimal, health: { interval: { suspect: 0 } } }, 'health.interval.suspect', /above 0/],
    [{ ...minimal, health: { expect: { body: '' } } }, 'health.expect.body', /not empty/],
    [{ ...minimal, health: { expect: { status: 99 } } }, 'health.expect.status', /100 to 599/],
    [{ ...minimal, health: { expect: { bdy: 'x' } } }, 'health.expect.bdy', /did you mean "body"/],
    [{ ...minimal, health: { method: 'HEAD', expect: { body: 'x' } } }, 'health.method', /method: "GET"/],
    [withHealth(true), 'backends[0].health', /an object, or false/],
    [withHealth({ interval: 0 }), 'backends[0].health.interval', /above 0/],
    [withHealth({ lastResort: true }), 'backends[0].health.lastResort', /about the whole pool/],
    [withHealth({ probe: 'tcp', path: '/' }), 'backends[0].health.path', /only for probe/],
    [
      withHealth({ path: '/x' }, { probe: 'tcp' }),
      'backends[0].health.path',
      /only for probe .*say probe as well/,
    ],
    [withHealth({ expect: { body: 'x' } }, { method: 'HEAD' }), 'backends[0].health.method', /method: "GET"/],
    [{ ...minimal, health: { probe: async () => {}, path: '/x' } }, 'health.path', /only for probe "http"/],
    [{ ...minimal, health: { path: 'x' } }, 'health.path', /^got "x"; expected a path/],
    [{ ...minimal, health: { headers: { 'a b': 'c' } } }, 'health.headers["a b"]', /header name/],
    [{ ...minimal, health: { headers: { a: 'c\n' } } }, 'health.headers.a', /header value/],
    [{ ...minimal, health: { expect: [200, 99] } }, 'health.expect[1]', /100 to 599/],
    [{ ...minimal, health: { rise: 0 } }, 'health.rise', /1 or more/],
    [
      { ...minimal, health: { ejection: true } },
      'health.ejection',
      /^got true; expected an object, or false/,
    ],
    [{ ...minimal, health: { ejection: { failures: 0 } } }, 'health.ejection.failures', /1 or more/],
    [{ ...minimal, health: { ejection: { earlyClose: 0 } } }, 'health.ejection.earlyClose', /or false/],
    [{ ...minimal, health: { ejection: { maxShare: 50 } } }, 'health.ejection.maxShare', /from 0 to 1/],
    [{ ...minimal, health: { ejection: { errors: 0.5 } } }, 'health.ejection.errors', /an object, or false/],
    [
      { ...minimal, health: { ejection: { errors: { share: 2 } } } },
      'health.ejection.errors.share',
      /0 to 1/,
    ],
    [
      { ...minimal, health: { ejection: { time: '1m', maxTime: '30s' } } },
      'health.ejection.maxTime',
      /shorter than the time of 60000 ms; make it longer/,
    ],
    [{ ...minimal, health: { ejecton: {} } }, 'health.ejecton', /did you mean "ejection"/],
    [{ ...minimal, health: { panicThreshold: 50 } }, 'health.panicThreshold', /from 0 to 1/],
    [{ ...minimal, health: { onDown: 'drian' } }, 'health.onDown', /did you mean "drain"/],
    [
      { ...minimal, health: { onDown: false } },
      'health.onDown',
      /^got false; expected "drain", "keep", "cut"$/,
    ],
    [{ ...minimal, health: true }, 'health', /an object, or false/],
    [{ ...minimal, rebalance: true }, 'rebalance', /^got true; expected an object, or false/],
    [{ ...minimal, retryBudget: true }, 'retryBudget', /^got true; expected an object, or false/],
    [{ ...minimal, retryBudget: { share: -1 } }, 'retryBudget.share', /a number, 0 or more/],
    [{ ...minimal, retryBudget: { minPerSecond: '9' } }, 'retryBudget.minPerSecond', /a number, 0 or more/],
    [{ ...minimal, retryBudget: { window: 0 } }, 'retryBudget.window', /above 0/],
    [{ ...minimal, retryBudget: { shares: 1 } }, 'retryBudget.shares', /did you mean "share"/],
    [{ pools: { a: minimal }, routes: [{ pool: 'a' }], retryBudget: {} }, 'retryBudget', /no effect/],
    [{ ...minimal, rebalance: { tolerance: -0.1 } }, 'rebalance.tolerance', /a number, 0 or more/],
    [{ ...minimal, rebalance: { perMinute: 0 } }, 'rebalance.perMinute', /1 or more/],
    [{ ...minimal, rebalance: { minAge: 'long' } }, 'rebalance.minAge', /^got "long"; .*"10s"/],
    [{ ...minimal, rebalance: { tolerence: 1 } }, 'rebalance.tolerence', /did you mean "tolerance"/],
    [{ ...minimal, drain: { code: 1000 } }, 'drain.code', /3000–4999/],
    [{ ...minimal, drain: { code: 1006 } }, 'drain.code', /close code/],
    [{ ...minimal, drain: { reason: 'ü'.repeat(62) } }, 'drain.reason', /123 bytes/],
    [{ ...minimal, drain: { over: '1d' } }, 'drain.over', /^got "1d"/],
    [{ ...minimal, drain: { over: '2m', deadline: '1m' } }, 'drain.over', /^is longer than the deadline/],
    [{ ...minimal, drain: { order: 'idle' } }, 'drain.order', /^got "idle"; expected "idle-first"/],
    [{ ...minimal, drain: { deadline: 2 ** 31 } }, 'drain.deadline', /at most "596h"/],
    [{ ...minimal, websocket: { ping: 0 } }, 'websocket.ping', /above 0, or false/],
    [{ ...minimal, websocket: { maxAge: true } }, 'websocket.maxAge', /above 0, or false/],
    [{ ...minimal, websocket: { closeTimeout: 0 } }, 'websocket.closeTimeout', /above 0/],
    [{ ...minimal, timeouts: { connect: -1 } }, 'timeouts.connect', /^got -1/],
    [{ ...minimal, attempts: 1.5 }, 'attempts', /whole number/],
    [{ ...minimal, admission: { maxWait: false } }, 'admission.maxWait', /^got false; .*0 is allowed/],
    [
      { ...minimal, admission: { browsers: true } },
      'admission.browsers',
      /^got true; .*"close-1013", or false/,
    ],
    [
      { ...minimal, admission: { browsers: 'close-1012' } },
      'admission.browsers',
      /did you mean "close-1013"/,
    ],
    [{ ...minimal, admission: { maxwait: 1 } }, 'admission.maxwait', /did you mean "maxWait"/],
    [{ ...minimal, admission: 1 }, 'admission', /^got 1; expected an object/],
    [{ ...minimal, trustProxy: '10.0.0.0/33' }, 'trustProxy', /CIDR/],
    [{ ...minimal, trustProxy: ['::1', 'proxy'] }, 'trustProxy[1]', /CIDR/],
    [{ ...minimal, trustProxy: 1 }, 'trustProxy', /true, false, or addresses/],
    [{ ...minimal, hooks: { onUpgrade: 'x' } }, 'hooks.onUpgrade', /a function/],
    [{ ...minimal, hooks: { onConnect() {} } }, 'hooks.onConnect', /unknown key/],
    [{ ...minimal, hooks: { onMessage: 'x' } }, 'hooks.onMessage', /a function, or an object with hook/],
    [{ ...minimal, hooks: { onMessage: {} } }, 'hooks.onMessage.hook', /^is missing; expected a function/],
    [{ ...minimal, hooks: { onMessage: { hook() {}, maxSize: 0 } } }, 'hooks.onMessage.maxSize', /1 or more/],
    [
      { ...minimal, hooks: { onMessage: { hook() {}, concurrency: 1.5 } } },
      'hooks.onMessage.concurrency',
      /whole number/,
    ],
    [{ ...minimal, hooks: { onMessage: { hook() {}, from: 'server' } } }, 'hooks.onMessage.from', /"client"/],
    [
      { ...minimal, routes: [{ pool: 'default', hooks: { onRequest() {} } }] },
      'routes[0].hooks.onRequest',
      /unknown key/,
    ],
    [
      { ...minimal, routes: [{ pool: 'default', hooks: { onMessage: true } }] },
      'routes[0].hooks.onMessage',
      /a function/,
    ],
    [{ ...minimal, log: 'verbose' }, 'log', /"trace", "debug"/],
    [{ ...minimal, log: { info() {} } }, 'log', /debug, info, warn and error/],
    [{ ...minimal, listen: '8080' }, 'listen', /a port, 0 to 65535, or an object/],
    [{ ...minimal, listen: { port: '8080' } }, 'listen.port', /without the quotes/],
    [{ ...minimal, listen: { port: 1, host: 'http://x' } }, 'listen.host', /without scheme/],
    [{ ...minimal, listen: { port: 1, host: '1.2.3.400' } }, 'listen.host', /IP address/],
    [
      { ...minimal, listen: [80, { port: 80, host: '0.0.0.0' }] },
      'listen[1]',
      /0\.0\.0\.0:80 like listen\[0\]/,
    ],
    [{ ...minimal, listen: { port: 1, tls: 'selfsigned' } }, 'listen.tls', /did you mean "self-signed"/],
    [{ ...minimal, routes: [{ path: 'chat', pool: 'default' }] }, 'routes[0].path', /"\/chat\/\*"/],
    [{ ...minimal, routes: [{ host: 'a:80', pool: 'default' }] }, 'routes[0].host', /without port/],
    [{ ...minimal, routes: [{}] }, 'routes[0].pool', /^is missing/],
    [{ ...minimal, pools: { default: minimal } }, 'pools.default', /given twice/],
    [{ pools: { chat: {} }, routes: [{ pool: 'chat' }] }, 'pools.chat.backends', /^is missing/],
    [{ pools: { chat: minimal } }, 'routes', /there is only "chat"/],
    [{ pools: { default: minimal }, balance: 'p2c' }, 'balance', /no effect without backends/],
    [{ pools: { default: minimal }, rebalance: false }, 'rebalance', /no effect without backends/],
    [{ pools: { 'a b': { backends: [1] } }, routes: [] }, 'pools["a b"].backends[0]', /url/],
    [{}, 'backends', /is missing; give backends: .*, or pools/],
    [{ pools: {} }, 'backends', /is missing/],
  ]
  for (const [config, path, message] of cases) t.match(problemsOf(config)[path], message, path)
})

t.test('what is no config says what to do', async (t) => {
  t.match(problemsOf(() => minimal)[''], /loadConfig/)
  t.match(problemsOf(Promise.resolve(minimal))[''], /await it/)
  t.match(problemsOf(null)[''], /^got null; expected an object/)
  t.match(problemsOf([minimal])[''], /^got a list/)
})

t.test('no backends at all is a pool that refuses, not an error', async (t) => {
  t.same(resolveConfig({ backends: [] }).pools[0]!.backends, [])
})

t.test('the same url twice is fine under two ids', async (t) => {
  const backends = ['a', 'b'].map((id) => ({ id, url: 'http://127.0.0.1:1' }))
  t.equal(resolveConfig({ backends }).pools[0]!.backends.length, 2)
})

t.test('pools do not share a cookie', async (t) => {
  const nameIn = (config: object) => resolveConfig(config).pools.map(({ sticky }) => sticky[0]!.ownCookie)
  const routes = [{ pool: 'chat' }]
  t.same(nameIn({ pools: { chat: minimal }, routes }), ['server'])
  t.same(nameIn({ ...minimal, pools: { chat: minimal }, routes }).sort(), ['server', 'server-chat'])
  const [cookie] = resolveConfig({ ...minimal, pools: { 'a;b': minimal } }).pools.find(
    ({ name }) => name === 'a;b',
  )!.sticky[0]!.remember!(plainRequest(), plainBackend('x'))
  t.match(cookie, /^server-a%3Bb=/)
})

t.test('a backend says what it has otherwise than its pool', async (t) => {
  const healthOfFirst = (own: object | false, health: object | false) => {
    const [pool] = resolveConfig(withHealth(own, health)).pools
    return healthOf(pool!.health, pool!.backends[0]!.health)
  }
  const pool = { path: '/up', timeout: '1s', interval: { up: '1m', down: '2s' } } as const
  t.match(healthOfFirst({ path: '/own', interval: { suspect: '1s' } }, pool), {
    ...{ probe: 'http', path: '/own', timeout: 1_000 },
    interval: { up: 60_000, suspect: 1_000, down: 2_000 },
  })
  t.match(healthOfFirst({ interval: '5s' }, pool), { interval: { up: 5_000, down: 2_000 } })
  const other = healthOfFirst({ probe: 'tcp', port: 81 }, pool)!
  t.match(other, { probe: 'tcp', port: 81, timeout: 1_000 })
  t.notOk('path' in other, 'a path is none of its business')
  t.equal(healthOfFirst(false, pool), undefined)
  t.match(healthOfFirst({ path: '/own' }, false), { path: '/own', timeout: 5_000 }, 'it alone is watched')
  t.equal(resolveConfig(withHealth({ path: '/x' })).pools[0]!.health!.path, undefined)
})

t.test('resolving changes nothing in what it was given', async (t) => {
  const config = { backends: [{ url: 'http://a', id: 'x' }], health: { interval: '1s' } }
  const before = structuredClone(config)
  resolveConfig(config)
  t.same(config, before)
})

t.test('the name of a protocol stands for its strategies, with one cookie after them', async (t) => {
  const namesOf = (sticky: Config['sticky']) =>
    resolveConfig({ ...minimal, sticky }).pools[0]!.sticky.map(({ name }) => name)
  t.strictSame(namesOf('socket.io'), ['engine.io', 'cookie'])
  t.strictSame(namesOf('sockjs'), ['sockjs', 'cookie'])
  t.strictSame(namesOf('signalr'), ['signalr', 'cookie'])
  t.strictSame(namesOf('colyseus'), ['colyseus', 'cookie'])
  t.strictSame(namesOf('yjs'), ['hash-by'], 'a document has no cookie')
  t.strictSame(namesOf(['yjs', 'socket.io']), ['hash-by', 'engine.io', 'cookie'])
  t.strictSame(namesOf(['sockjs', 'socket.io']), ['sockjs', 'engine.io', 'cookie'])
  const own: StickyStrategy = { name: 'own', find: () => undefined }
  t.strictSame(namesOf([own, 'socket.io', own]), ['own', 'engine.io', 'cookie', 'own'])
  t.strictSame(namesOf(['cookie', 'socket.io']), ['cookie', 'engine.io'])
  t.strictSame(namesOf(['socket.io', stickyCookie({ name: 'mine' })]), ['engine.io', 'cookie'])
  const pools = { chat: { ...minimal, sticky: 'sockjs' as const } }
  const [chat] = resolveConfig({ ...minimal, pools }).pools
  t.equal(chat!.sticky[1]!.ownCookie, 'server-chat', 'pools do not share a cookie')
})
