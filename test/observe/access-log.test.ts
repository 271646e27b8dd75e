import t from 'tap'
import { ConfigError, WslbError } from '../../lib/core/errors.ts'
import { Events, type RequestDoneEvent, type TunnelCloseEvent } from '../../lib/core/events.ts'
import { type LogLevel } from '../../lib/core/logger.ts'
import { IncomingRequest } from '../../lib/core/request.ts'
import { logEvents } from '../../lib/observe/access-log.ts'
import { createLogger } from '../../lib/observe/log.ts'
import { Sink } from './sink.ts'

function request(url = '/chat?token=s3cret-query'): IncomingRequest {
  const headers = { authorization: 'Bearer s3cret-bearer', cookie: 'sid=s3cret-cookie', host: 'lb.test' }
  return new IncomingRequest({
    method: 'GET',
    httpVersion: '1.1',
    url,
    host: 'lb.test',
    headers,
    rawHeaders: Object.entries(headers).flat(),
    secure: true,
    remoteAddress: '127.0.0.1',
    clientAddress: '203.0.113.9',
    forwarded: { for: '203.0.113.9', proto: 'https', host: 'lb.test', trusted: false },
  })
}

const onFirst = { attempts: 1, retries: [], noRetry: undefined }

function done(change: Partial<RequestDoneEvent> = {}): RequestDoneEvent {
  return {
    request: request(),
    pool: 'default',
    backend: 'blue',
    status: 200,
    duration: 12.34,
    bytesIn: 3,
    bytesOut: 512,
    ...onFirst,
    error: undefined,
    ...change,
  }
}

function tunnelClose(change: Partial<TunnelCloseEvent> = {}): TunnelCloseEvent {
  return {
    id: 7,
    route: '/chat',
    openedAt: 1_700_000_000_000,
    handshake: 4.2,
    request: request(),
    pool: 'default',
    backend: 'blue',
    closedBy: 'client',
    cause: 'normal',
    closeCode: 1000,
    closeCodeIn: 1000,
    closeCodeOut: 1000,
    duration: 2500,
    bytesIn: 10,
    bytesOut: 20,
    messagesIn: 1,
    messagesOut: 2,
    framesIn: 3,
    framesOut: 4,
    clientRtt: undefined,
    backendRtt: undefined,
    error: undefined,
    ...change,
  }
}

function logging(level: LogLevel = 'info') {
  const sink = new Sink()
  const events = new Events((error) => {
    throw error
  })
  const stop = logEvents(events, createLogger(level, { stream: sink }))
  return { sink, events, stop }
}

t.test('a request is one flat JSON line that reads well', async (t) => {
  const { sink, events } = logging()
  events.emit('request:done', done())
  t.match(sink.lines, [
    {
      level: 'info',
      event: 'request:done',
      method: 'GET',
      host: 'lb.test',
      path: '/chat',
      status: 200,
      backend: 'blue',
      pool: 'default',
      client: '203.0.113.9',
      ms: 12.3,
      bytesIn: 3,
      bytesOut: 512,
      attempts: 1,
      msg: 'GET /chat 200 blue 12 ms',
    },
  ])
  t.equal(sink.lines.length, 1)
})

t.test('what was tried before is said, and why it was not tried again', async (t) => {
  const { sink, events } = logging()
  const retries = [
    { backend: 'green', code: 'WSLB_CONNECT_FAILED' },
    { backend: 'red', code: 'WSLB_HANDSHAKE_TIMEOUT' },
  ] as const
  events.emit('request:done', done({ attempts: 3, retries }))
  events.emit('tunnel:open', { ...tunnelClose(), ...onFirst, attempts: 2, retries: retries.slice(0, 1) })
  const error = new WslbError('WSLB_CONNECT_FAILED', 'refused')
  events.emit('upgrade:reject', done({ status: 502, error, noRetry: 'budget' }))
  t.match(sink.lines, [
    {
      attempts: 3,
      retries,
      msg: 'GET /chat 200 blue 12 ms retried green:connect-failed,red:handshake-timeout',
    },
    { attempts: 2, retries: [retries[0]], msg: 'WS /chat open blue 4.2 ms retried green:connect-failed' },
    {
      noRetry: 'budget',
      msg: 'WS /chat refused 502 blue 12 ms no-retry:budget WSLB_CONNECT_FAILED: refused',
    },
  ])
  events.emit('request:done', done())
  t.notMatch(sink.lines.at(-1), { retries: Array }, 'nothing is said of nothing')
})

t.test('who is ejected, until when and why; and panic', async (t) => {
  const { sink, events } = logging()
  const chat = { backend: 'blue', pool: 'chat' }
  events.emit('backend:ejected', { ...chat, reason: '5 failures in a row', until: 1_700_000_000_000 })
  events.emit('backend:readmitted', chat)
  events.emit('pool:panic', { pool: 'chat', usable: 1, members: 3 })
  events.emit('pool:calm', { pool: 'chat', usable: 2, members: 3 })
  t.match(sink.lines, [
    {
      ...{ level: 'warn', event: 'backend:ejected', ...chat, until: 1_700_000_000_000 },
      msg: 'backend chat/blue ejected until 2023-11-14T22:13:20.000Z: 5 failures in a row',
    },
    { level: 'info', event: 'backend:readmitted', ...chat, msg: 'backend chat/blue readmitted' },
    {
      ...{ level: 'warn', event: 'pool:panic', usable: 1, members: 3 },
      msg: 'pool chat in panic, health is ignored: 1 of 3 backends can be used',
    },
    { level: 'info', event: 'pool:calm', msg: 'pool chat calm: 2 of 3 backends can be used' },
  ])
})

t.test('authorization, cookies and the query never reach the log, in any line', async (t) => {
  for (const level of ['info', 'trace'] as const) {
    const { sink, events } = logging(level)
    const error = new WslbError('WSLB_REFUSED', 'origin not allowed')
    events.emit('request:done', done())
    events.emit('request:done', done({ error, status: 403 }))
    events.emit('upgrade:reject', { ...done({ error, status: 403 }) })
    events.emit('tunnel:open', { ...tunnelClose(), handshake: 4, ...onFirst })
    events.emit('tunnel:close', tunnelClose({ error }))
    t.equal(sink.lines.length, 5)
    t.notMatch(sink.text, /s3cret/)
  }
})

t.test(
  'a tunnel says when it opened, who closed it, why, how long it lived and what it carried',
  async (t) => {
    const { sink, events } = logging()
    events.emit('tunnel:open', { ...tunnelClose(), handshake: 4, ...onFirst, attempts: 2 })
    events.emit(
      'tunnel:close',
      tunnelClose({
        closedBy: 'backend',
        cause: 'error',
        closeCode: 1006,
        error: new Error('read ECONNRESET'),
      }),
    )
    t.match(sink.lines, [
      { event: 'tunnel:open', tunnel: 7, status: 101, ms: 4, attempts: 2, msg: 'WS /chat open blue 4.0 ms' },
      {
        event: 'tunnel:close',
        tunnel: 7,
        closedBy: 'backend',
        cause: 'error',
        ms: 2500,
        bytesIn: 10,
        bytesOut: 20,
        messagesIn: 1,
        messagesOut: 2,
        closeCode: 1006,
        msg: 'WS /chat closed by backend (error, 1006) blue 2500 ms 10 B in 20 B out read ECONNRESET',
      },
    ])
  },
)

t.test("trouble of the backend's making is a warning with its code, the client's is not", async (t) => {
  const { sink, events } = logging()
  events.emit('request:done', done({ status: 502, error: new WslbError('WSLB_CONNECT_FAILED', 'no luck') }))
  events.emit('upgrade:reject', done({ status: 403, error: new WslbError('WSLB_REFUSED', 'no entry') }))
  t.match(sink.lines, [
    {
      level: 'warn',
      code: 'WSLB_CONNECT_FAILED',
      msg: 'GET /chat 502 blue 12 ms WSLB_CONNECT_FAILED: no luck',
    },
    { level: 'info', code: 'WSLB_REFUSED', msg: 'WS /chat refused 403 blue 12 ms WSLB_REFUSED: no entry' },
  ])
  t.notOk('stack' in sink.lines[0]!)
})

t.test('a bug in a hook comes with the stack of what was thrown', async (t) => {
  const { sink, events } = logging()
  const error = new WslbError('WSLB_HOOK_FAILED', 'onRequest threw: boom', { cause: new TypeError('boom') })
  events.emit('request:done', done({ status: 500, error }))
  t.match(sink.lines[0], { level: 'warn', stack: /^TypeError: boom\n.+access-log\.test\.[jt]s/ })
})

t.test("a tunnel that ends by the user's code or by the backend is a warning, by a client not", async (t) => {
  const { sink, events } = logging()
  const cause = new TypeError('boom')
  const bug = new WslbError('WSLB_HOOK_FAILED', 'hooks.onMessage threw: boom', { cause })
  const late = new WslbError('WSLB_HOOK_TIMEOUT', 'hooks.onMessage did not settle within 5 ms')
  const ends: Partial<TunnelCloseEvent>[] = [
    { closedBy: 'balancer', cause: 'hook', closeCode: 1013, error: bug },
    { closedBy: 'balancer', cause: 'hook', closeCode: 1013, error: late },
    {
      closedBy: 'balancer',
      cause: 'error',
      error: new WslbError('WSLB_BAD_FRAME', 'no', { blame: 'backend' }),
    },
    { closedBy: 'backend', cause: 'error', closeCode: 1006, error: new Error('read ECONNRESET') },
    { closedBy: 'backend', cause: 'error', closeCode: 1006 },
    { closedBy: 'client', cause: 'error', closeCode: 1006, error: new Error('read ECONNRESET') },
    { closedBy: 'balancer', cause: 'error', error: new WslbError('WSLB_BAD_FRAME', 'no') },
    { closedBy: 'balancer', cause: 'ping', closeCode: 1001 },
    { closedBy: 'backend', cause: 'normal' },
  ]
  for (const end of ends) events.emit('tunnel:close', tunnelClose(end))
  t.same(
    sink.lines.map(({ level }) => level),
    ['warn', 'warn', 'warn', 'warn', 'warn', 'info', 'info', 'info', 'info'],
  )
  t.match(sink.lines[0], {
    code: 'WSLB_HOOK_FAILED',
    stack: /^TypeError: boom\n.+access-log\.test\.[jt]s/,
    msg: /closed by balancer \(hook, 1013\).* WSLB_HOOK_FAILED: hooks\.onMessage threw: boom$/,
  })
})

t.test('what hooks put into the context is under `context`, and absent when there is none', async (t) => {
  const { sink, events } = logging()
  const withUser = request()
  withUser.context.user = 'ada'
  events.emit('request:done', done({ request: withUser }))
  events.emit('request:done', done())
  t.same(sink.lines[0]!.context, { user: 'ada' })
  t.notOk('context' in sink.lines[1]!)
})

t.test('a path cannot forge a line or drive the terminal of the reader', async (t) => {
  const { sink, events } = logging()
  events.emit('request:done', done({ request: request('/a\u001b[2J\nb\u009b31m') }))
  t.equal(sink.lines[0]!.msg, 'GET /a [2J b 31m 200 blue 12 ms')
})

t.test('backends come and go in words, named with their pool outside the default one', async (t) => {
  const { sink, events } = logging()
  const blue = { backend: 'blue', pool: 'default' }
  events.emit('backend:suspect', { ...blue, reason: 'probe timed out' })
  events.emit('backend:down', { ...blue, reason: 'connect ECONNREFUSED 127.0.0.1:3001' })
  const asked = { ...blue, onDown: 'drain', over: 5_000 } as const
  events.emit('backend:tunnels', { ...asked, kept: 4, closing: 0 })
  events.emit('backend:tunnels', { ...asked, kept: 1, closing: 0 })
  events.emit('backend:tunnels', { ...asked, kept: 1, closing: 3 })
  events.emit('backend:tunnels', { ...asked, kept: 0, closing: 1_200 })
  events.emit('backend:tunnels', { ...blue, onDown: 'cut', kept: 0, closing: 4, over: 0 })
  events.emit('backend:tunnels', {
    backend: 'red',
    pool: 'chat',
    onDown: 'keep',
    kept: 1,
    closing: 0,
    over: 0,
  })
  events.emit('backend:up', { backend: 'red', pool: 'chat', downFor: 83_000, reason: 'gone' })
  events.emit('backend:added', blue)
  events.emit('backend:draining', blue)
  events.emit('drain:progress', { target: 'blue', left: 311, remaining: 83_400 })
  events.emit('drain:progress', { target: '*', left: 5, remaining: 0 })
  events.emit('rebalance:start', { pool: 'chat', surplus: 1_200 })
  events.emit('rebalance:done', { pool: 'chat', closed: 1_199 })
  events.emit('backend:drained', { ...blue, cut: 3 })
  events.emit('backend:drained', { ...blue, cut: 0 })
  events.emit('backend:removed', blue)
  t.same(
    sink.lines.map(({ level, msg }) => `${String(level)} ${String(msg)}`),
    [
      'info backend blue suspect: probe timed out',
      'warn backend blue down: connect ECONNREFUSED 127.0.0.1:3001',
      'info backend blue: 4 tunnels asked, 4 answer and live on',
      'info backend blue: 1 tunnel asked, 1 answers and lives on',
      'warn backend blue: 4 tunnels asked, 1 answers, 3 closing over 5 s',
      'warn backend blue: 1 200 tunnels asked, 0 answer, 1 200 closing over 5 s',
      'warn backend blue: 4 tunnels cut',
      'info backend chat/red: 1 tunnel kept',
      'info backend chat/red up after 1 min 23 s',
      'info backend blue added',
      'info draining blue: 311 left, 84 s',
      'info stopping: 5 left, 0 s',
      'info rebalancing chat: 1 200 tunnels to move',
      'info rebalanced chat: 1 199 tunnels closed',
      'info backend blue drained, 3 cut at the deadline',
      'info backend blue drained',
      'info backend blue removed',
    ],
  )
})

t.test('a reload tells its plan, a rejected one is a single error line', async (t) => {
  const { sink, events } = logging()
  const plan = {
    added: ['c'],
    removed: ['a'],
    changed: [],
    kept: ['b'],
    sources: [],
    tunnelsKept: 18204,
    tunnelsDrained: 311,
    over: 30_000,
    listeners: { added: ['http://127.0.0.1:2'], removed: ['http://127.0.0.1:1'] },
    options: ['drain', 'balance'],
    warnings: ['pool default: no backends; it will answer 503'],
  }
  events.emit('config:reload', { plan })
  const problems = [
    { path: '', message: '/srv/lb.config.ts:3:7: Unexpected "}"\n  3 | }\n    | ^' },
    { path: 'backends[2].weight', message: 'expected a number from 0' },
  ]
  events.emit('config:reject', { error: new ConfigError(problems) })
  events.emit('config:reject', { error: new WslbError('WSLB_LISTEN', 'port 80 is taken') })
  t.equal(
    sink.lines[0]!.msg,
    'config reloaded: 1 added (c), 1 removed (a), 1 kept; listens on http://127.0.0.1:2 instead of http://127.0.0.1:1; ' +
      'changed: drain, balance; 18 204 tunnels kept, 311 drained over 30 s',
  )
  t.match(sink.lines[1], { level: 'warn', msg: 'pool default: no backends; it will answer 503' })
  const start = 'config rejected, the last good one serves on: '
  t.match(sink.lines.slice(2), [
    {
      level: 'error',
      code: 'WSLB_CONFIG_INVALID',
      msg: `${start}/srv/lb.config.ts:3:7: Unexpected "}"; backends[2].weight: expected a number from 0`,
    },
    { level: 'error', code: 'WSLB_LISTEN', msg: `${start}port 80 is taken` },
  ])
})

t.test('with info off nobody listens to requests and tunnels; troubles are still told', async (t) => {
  const { sink, events } = logging('warn')
  for (const name of ['request:done', 'tunnel:open', 'tunnel:close', 'upgrade:reject'] as const) {
    t.notOk(events.wants(name), name)
  }
  events.emit('backend:down', { backend: 'blue', pool: 'default', reason: 'gone' })
  t.match(sink.lines, [{ level: 'warn', event: 'backend:down' }])
  const silent = logging('silent')
  t.notOk(silent.events.wants('config:reject'))
})

t.test("somebody else's logger that cannot tell its level gets every line; stopping stops it", async (t) => {
  const seen: string[] = []
  const method = (_fields: object, message: string) => void seen.push(message)
  const events = new Events((error) => {
    throw error
  })
  const stop = logEvents(events, { debug: method, info: method, warn: method, error: method })
  events.emit('request:done', done())
  t.same(seen, ['GET /chat 200 blue 12 ms'])
  stop()
  t.notOk(events.wants('request:done'))
  t.notOk(events.wants('backend:down'))
})
