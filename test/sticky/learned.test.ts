import { inspect } from 'node:util'
import t from 'tap'
import { ConfigError } from '../../lib/core/errors.ts'
import { type IncomingRequest } from '../../lib/core/request.ts'
import { learned } from '../../lib/sticky/learned.ts'
import { type LearnedRule } from '../../lib/sticky/learned-rule.ts'
import { Memory } from '../../lib/sticky/memory.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

const red = plainBackend('red')
const blue = plainBackend('blue')
const backends = new Map([red, blue].map((backend) => [backend.id, backend]))

/** A strategy and what it has learned. */
function start(strategy: StickyStrategy) {
  const memory = new Memory(new ManualClock(), strategy.memory!)
  return {
    memory,
    /** Id of the backend. */
    find: (request: IncomingRequest) => strategy.find(request, backends, memory)?.id,
    /** A request is answered, in pieces. @returns whether the body was wanted, and found to be enough */
    answer: (request: IncomingRequest, from = red, body: string | string[] = '', status = 200) => {
      const observer = strategy.observe!(request, from, memory)
      if (!observer) return 'not asked for'
      if (!observer.onHead(status, {})) return 'head only'
      const pieces = [body].flat()
      return pieces.some((_, index) => observer.onBody(pieces.slice(0, index + 1).join('')))
    },
  }
}

const get = (url: string, method = 'GET') => plainRequest({ url, method })
const post = (url: string) => get(url, 'POST')

const SID = 'lv_VI97HAXpY6yYWAAAC'
const OPEN = `0{"sid":"${SID}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
const HANDSHAKES: Record<string, string> = {
  'EIO=4': OPEN,
  'EIO=4, with a packet behind it': `${OPEN}\x1e40`,
  'EIO=3': `${OPEN.length}:${OPEN}2:40`,
  'EIO=3, as bytes': `\x00\x01\x01\x08\ufffd${OPEN}\x00\x02\ufffd40`,
  'JSONP, EIO=4': `___eio[0](${JSON.stringify(OPEN)});`,
  'JSONP, EIO=3': `/**/___eio[12](${JSON.stringify(`${OPEN.length}:${OPEN}2:40`)});`,
}

t.test('engine.io: the sid of the handshake is found again in the query', async (t) => {
  for (const [name, body] of Object.entries(HANDSHAKES)) {
    const { find, answer } = start(learned('engine.io'))
    t.equal(answer(get('/socket.io/?EIO=4&transport=polling'), blue, body), true, name)
    t.equal(find(get(`/socket.io/?EIO=4&transport=polling&sid=${SID}`)), 'blue', name)
    t.equal(find(post(`/socket.io/?EIO=4&transport=polling&sid=${SID}`)), 'blue', name)
    t.equal(find(get(`/socket.io/?EIO=4&transport=websocket&sid=${SID}`)), 'blue', name)
    t.equal(find(get('/socket.io/?EIO=4&transport=polling&sid=other')), undefined, name)
  }
})

t.test('engine.io: the sid is found as soon as it has come', async (t) => {
  for (const [name, body] of Object.entries(HANDSHAKES)) {
    const { memory, answer } = start(learned('engine.io'))
    const bytes = [...body]
    t.equal(answer(get('/socket.io/?EIO=4&transport=polling'), red, bytes), true, name)
    t.equal(memory.size, 1, name)
  }
})

t.test('engine.io: everything else passes unseen', async (t) => {
  const { memory, answer } = start(learned('engine.io'))
  for (const request of [
    get('/'),
    get('/api?sid=1'),
    get('/socket.io/socket.io.js'),
    get('/socket.io/?EIO=4&transport=websocket'),
    get('/socket.io/?EIO=4&transport=polling', 'OPTIONS'),
    get('/socket.io/?EIO=4&transport=polling&sid=x', 'OPTIONS'),
  ])
    t.equal(answer(request, red, OPEN), 'not asked for', request.url)
  t.equal(
    answer(get('/?EIO=4&transport=polling'), red, '{"code":3,"message":"Bad request"}', 400),
    'head only',
  )
  for (const body of [
    '',
    'not found',
    '0',
    '0{',
    '0{}',
    '0{"sid":7}',
    '0{"sid":""}',
    '___eio[0]("0{")',
    '{"sid":"x"}',
  ])
    t.equal(answer(get('/?EIO=4&transport=polling'), red, body), false, body)
  t.equal(memory.size, 0)
})

t.test('engine.io: after a restart, a sid is learned from whoever knows it', async (t) => {
  const { find, answer } = start(learned('engine.io'))
  const poll = get('/socket.io/?EIO=4&transport=polling&sid=old')
  t.equal(answer(poll, red, '{"code":1,"message":"Session ID unknown"}', 400), 'head only')
  t.equal(find(poll), undefined)
  t.equal(answer(poll, blue, '2', 200), 'head only')
  t.equal(find(poll), 'blue')
  t.equal(answer(poll, blue, '2', 200), 'not asked for')
})

t.test('sockjs: the session in the path belongs to whoever answers the first request', async (t) => {
  const { find, answer } = start(learned('sockjs'))
  for (const transport of ['xhr', 'xhr_streaming', 'eventsource', 'htmlfile', 'jsonp']) {
    t.equal(find(post(`/a/b/chat/123/${transport}1/${transport}`)), undefined)
    t.equal(answer(post(`/a/b/chat/123/${transport}1/${transport}?t=1`), blue, 'o\n'), 'head only')
    t.equal(find(post(`/a/b/chat/123/${transport}1/xhr_send`)), 'blue')
    t.equal(find(post(`/a/b/chat/123/${transport}1/${transport}?t=2`)), 'blue')
  }
  t.equal(answer(post('/echo/000/lost/xhr_send'), red, '', 404), 'head only')
  t.equal(find(post('/echo/000/lost/xhr_send')), undefined)
  for (const request of [
    get('/echo/info'),
    get('/a/echo/info'),
    get('/echo/websocket'),
    get('/a/echo/websocket'),
    get('/echo/000/abc/websocket'),
    get('/echo/000/abc/xhr', 'OPTIONS'),
    get('/echo/iframe-1.2.html'),
    get('/echo/0.0/abc/xhr'),
  ])
    t.equal(answer(request), 'not asked for', request.url)
})

t.test('signalr: the token of negotiate belongs to its hub', async (t) => {
  const { find, answer, memory } = start(learned('signalr'))
  const negotiation = { negotiateVersion: 1, connectionId: 'public', connectionToken: 'tok/en+==' }
  t.equal(answer(post('/hubs/chat/negotiate?negotiateVersion=1'), blue, JSON.stringify(negotiation)), true)
  t.equal(find(get('/hubs/chat?id=tok%2Fen%2B%3D%3D')), 'blue')
  t.equal(find(post('/hubs/chat?x=1&id=tok%2Fen%2B%3D%3D')), 'blue')
  t.equal(find(get('/hubs/chat?id=public')), undefined)
  t.equal(find(get('/items?id=tok%2Fen%2B%3D%3D')), undefined, 'an id of something else')
  t.equal(answer(get('/items?id=5')), 'not asked for')
  t.equal(answer(post('/chat/negotiate'), red, '{"connectionId":"v0"}'), true, 'version 0')
  t.equal(find(get('/chat?id=v0')), 'red')
  t.equal(answer(post('/chat/negotiate'), red, '{"url":"https://elsewhere.test","accessToken":"x"}'), false)
  t.equal(answer(post('/chat/negotiate'), red, '{"error":"no"}'), false)
  t.equal(memory.size, 2)
})

t.test('colyseus: the seat is on the process that gave it out', async (t) => {
  const { find, answer } = start(learned('colyseus'))
  const seat = { name: 'battle', sessionId: 's1', roomId: 'room1', processId: 'proc1' }
  t.equal(answer(post('/matchmake/joinOrCreate/battle'), blue, JSON.stringify(seat)), true)
  t.equal(find(get('/proc1/room1?sessionId=s1')), 'blue')
  t.equal(find(get('/proc1/room2?sessionId=s2')), 'blue')
  t.equal(find(post('/matchmake/joinById/room1')), 'blue')
  t.equal(find(post('/matchmake/reconnect/room1')), 'blue')
  t.equal(find(post('/matchmake/joinOrCreate/battle')), undefined, 'anybody can give a seat')
  t.equal(find(post('/matchmake/joinById/room9')), undefined)
  t.equal(
    answer(
      post('/matchmake/joinById/room9'),
      red,
      JSON.stringify({ ...seat, roomId: 'room9', processId: 'proc2' }),
    ),
    true,
  )
  t.equal(find(get('/game/proc2/room9?sessionId=s3')), 'red')
  const old = { room: { roomId: 'room7', processId: 'proc7' }, sessionId: 's' }
  t.equal(answer(post('/matchmake/create/battle'), red, JSON.stringify(old)), true, 'as it was before 0.17')
  t.equal(find(get('/proc7/room7?sessionId=s')), 'red')
  t.equal(answer(post('/matchmake/create/battle'), red, '{}'), false)
  const elsewhere = { ...seat, processId: 'proc8', publicAddress: 'game.example.test/blue' }
  t.equal(
    answer(post('/matchmake/create/battle'), red, JSON.stringify(elsewhere)),
    false,
    'by a shared driver',
  )
  t.equal(find(get('/blue/proc8/room8?sessionId=s')), undefined)
})

t.test('a rule of the user’s own: from answers', async (t) => {
  const rule: LearnedRule = {
    name: 'mine',
    id: ({ headers }) => headers['x-session'] as string | undefined,
    idFromAnswer: (body) => (JSON.parse(body) as { session?: string }).session,
    answers: (_request, status, headers) => status === 201 && headers['content-type'] !== 'image/png',
  }
  const { find, answer } = start(learned(rule))
  const later = plainRequest({ headers: { 'x-session': 'abc' } })
  t.equal(answer(post('/login'), blue, '{"session":"abc"}', 200), 'head only')
  t.equal(answer(post('/login'), blue, '{"session":"abc"}', 201), true)
  t.equal(find(later), 'blue')
  t.equal(answer(later, red), 'not asked for')
  t.equal(answer(post('/login'), blue, '{"sess', 201), false, 'what it throws is no answer')
})

t.test('a rule of the user’s own: from requests', async (t) => {
  const { find, answer } = start(learned({ name: 'mine', id: ({ query }) => query.get('room') ?? undefined }))
  t.equal(answer(get('/?room=1'), blue, '', 500), 'head only')
  t.equal(find(get('/?room=1')), undefined)
  t.equal(answer(get('/?room=1'), blue, '', 200), 'head only')
  t.equal(find(get('/?room=1')), 'blue')
  t.equal(answer(get('/'), blue), 'not asked for')
})

t.test('whatever a rule does, nothing is found and nothing breaks', async (t) => {
  const fail = () => {
    throw new Error('broken')
  }
  const reject = () => Promise.reject(new Error('broken later'))
  for (const wrong of [fail, reject, () => 7, () => ({}), () => null, () => [], () => Symbol('x')]) {
    const rule = {
      name: 'wrong',
      id: wrong,
      idFromAnswer: wrong,
      opens: () => true,
    } as unknown as LearnedRule
    const { find, answer, memory } = start(learned(rule))
    t.equal(find(get('/')), undefined)
    t.equal(answer(get('/'), red, 'body'), false)
    t.equal(answer(get('/'), red, 'body', 404), 'head only')
    const judged = start(learned({ ...rule, answers: wrong } as unknown as LearnedRule))
    t.equal(judged.answer(get('/'), red, 'body'), 'head only')
    const opened = start(learned({ ...rule, opens: wrong } as unknown as LearnedRule))
    t.equal(opened.answer(get('/'), red, 'body'), 'not asked for')
    t.equal(memory.size, 0)
  }
})

t.test('a backend that has left is not found', async (t) => {
  const { find, memory } = start(learned('engine.io'))
  memory.set('x', plainBackend('red'))
  t.equal(find(get('/?EIO=4&sid=x')), undefined, 'though its id is there')
})

t.test('arguments that are not valid', async (t) => {
  const rule = { name: 'mine', id: () => 'x' }
  const wrong: unknown[][] = [
    [],
    ['socketio'],
    ['toString'],
    [{ name: 'mine' }],
    [null],
    [rule, { max: 0 }],
    [rule, { max: 1.5 }],
    [rule, { ttl: '1 day' }],
    [rule, { ttl: 0 }],
    [{ ...rule, maxBody: 0 }],
    [{ ...rule, maxBody: 2 ** 21 }],
  ]
  for (const args of wrong)
    t.throws(() => learned(...(args as Parameters<typeof learned>)), ConfigError, inspect(args))
  t.strictSame(learned(rule, { max: 5, ttl: '2m' }).memory, { max: 5, ttl: 120_000 })
  t.strictSame(learned('sockjs').memory, { max: 100_000, ttl: 3_600_000 })
})
