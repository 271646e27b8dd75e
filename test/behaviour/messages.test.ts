import { once } from 'node:events'
import t from 'tap'
import { type WebSocket } from 'ws'
import { type Config } from '../../lib/config/config.ts'
import { type MessageHook } from '../../lib/proxy/message-hook.ts'
import { type TestBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { SPEED, type Scope, startBalancer } from '../support/balancer.ts'
import { rawClient, switching, upgradeHead, wsClient, rawTunnel } from '../support/clients.ts'
import { hostileValues } from '../support/hostile-values.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'

/** What a socket receives, text as it is and binary in brackets. */
function heard(socket: WebSocket): string[] {
  const messages: string[] = []
  socket.on('message', (data: Buffer, isBinary) =>
    messages.push(isBinary ? `[${String(data)}]` : String(data)),
  )
  return messages
}

interface Talk {
  readonly fromClient: string[]
  readonly backend: TestBackend
}

/** A backend that says everything back and keeps it. */
async function talkative(t: Scope): Promise<Talk> {
  const fromClient: string[] = []
  const backend = await wsBackend(
    t,
    (socket) => {
      socket.on('message', (data: Buffer, isBinary) => {
        fromClient.push(isBinary ? `[${String(data)}]` : String(data))
        socket.send(data, { binary: isBinary })
      })
    },
    { perMessageDeflate: true },
  )
  return { fromClient, backend }
}

function config(backend: TestBackend, onMessage: NonNullable<Config['hooks']>['onMessage']): Config {
  return { backends: [{ id: 'blue', url: backend.url }], hooks: { onMessage } }
}

t.test('passed, dropped, replaced, answered: text and binary, whole and in fragments', async (t) => {
  const { fromClient, backend } = await talkative(t)
  const seen: string[] = []
  const { url, balancer } = await startBalancer(t, {
    ...config(backend, ({ from, data }, { tunnel, backend, pool, request }) => {
      seen.push(`${from} ${typeof data === 'string' ? data : `[${String(data)}]`}`)
      if (tunnel !== balancer.snapshot().tunnels[0]?.id) return { close: 4999 }
      if (backend !== 'blue' || pool !== 'default' || request.path !== '/room') return { close: 4999 }
      if (from === 'backend') return undefined
      if (String(data) === 'drop') return false
      if (String(data) === 'replace') return 'réplaced'
      if (String(data) === 'binary') return Buffer.from('bytes')
      return String(data) === 'who?' ? { reply: 'me' } : undefined
    }),
  })
  const client = await wsClient(t, `${url}/room`, [], { perMessageDeflate: true })
  t.equal(client.extensions, '', 'no compression is agreed on, though both offer it')
  const answers = heard(client)
  for (const text of ['pass', 'drop', 'replace', 'binary', 'who?']) client.send(text)
  client.send(Buffer.from('raw'))
  client.send('frag', { fin: false })
  client.ping('between')
  client.send('ments', { fin: true })
  const [pong] = (await once(client, 'pong')) as [Buffer]
  t.equal(String(pong), 'between')
  await until(() => answers.includes('fragments'), 'the last echo')
  const expected = ['pass', 'réplaced', '[bytes]', '[raw]', 'fragments']
  t.same(fromClient, expected)
  t.same(
    answers.filter((text) => text !== 'me'),
    expected,
  )
  t.ok(answers.includes('me'))
  t.same(
    seen.filter((text) => text.startsWith('client')),
    ['pass', 'drop', 'replace', 'binary', 'who?', '[raw]', 'fragments'].map((text) => `client ${text}`),
  )
  const [tunnel] = balancer.snapshot().tunnels
  t.match(tunnel, { messagesIn: 7, messagesOut: 5 })
  client.close(4000, 'bye')
  const [code] = (await once(client, 'close')) as [number]
  t.equal(code, 4000)
})

t.test(
  'however long the hook takes for each, both sides keep their order; no more than asked at once',
  async (t) => {
    const { fromClient, backend } = await talkative(t)
    const random = seededRandom(5)
    const running = { client: 0, backend: 0 }
    let most = 0
    const { url } = await startBalancer(t, {
      ...config(backend, {
        concurrency: 4,
        async hook({ from }) {
          most = Math.max(most, ++running[from])
          await new Promise((resolve) => setTimeout(resolve, random() * 8))
          running[from]--
        },
      }),
    })
    const client = await wsClient(t, url)
    const answers = heard(client)
    const sent = Array.from({ length: 150 }, (_, i) => `message ${i} ${'x'.repeat(random() * 3_000)}`)
    for (const text of sent) client.send(text)
    client.close(4000)
    const [code] = (await once(client, 'close')) as [number]
    t.equal(code, 4000)
    t.ok(fromClient.join() === sent.join(), 'the Close came last, the messages in order')
    t.ok(answers.join() === sent.slice(0, answers.length).join())
    t.equal(most, 4)
  },
)

t.test('a hook closes both sides, behind what came before', async (t) => {
  const codes: string[] = []
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(String(data)))
    socket.on('close', (code, reason) => codes.push(`${code} ${String(reason)}`))
  })
  const { url, next } = await startBalancer(
    t,
    config(backend, async ({ from, data }) => {
      if (from === 'client' && data === 'bad') return { close: 4003, reason: 'not here' }
      await new Promise((resolve) => setTimeout(resolve, 10))
    }),
  )
  const client = await wsClient(t, url)
  const answers = heard(client)
  client.send('good')
  await until(() => answers.length === 1, 'the echo')
  const closed = next('tunnel:close')
  client.send('bad')
  client.send('never')
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  t.same([code, String(reason)], [4003, 'not here'])
  t.match(await closed, { closedBy: 'balancer', cause: 'hook', closeCode: 4003, error: undefined })
  await until(() => codes.length === 1, 'the backend to be told')
  t.same(codes, ['4003 not here'])
  t.same(answers, ['good'])
})

const failures: Record<string, { hook: MessageHook; code: string; message: RegExp }> = {
  throws: {
    hook: () => {
      throw new Error('out of order')
    },
    code: 'WSLB_HOOK_FAILED',
    message: /threw: out of order/,
  },
  rejects: {
    hook: () => Promise.reject(new Error('out of order')),
    code: 'WSLB_HOOK_FAILED',
    message: /threw: out of order/,
  },
  'returns nonsense': {
    hook: () => ({ answer: 42 }) as never,
    code: 'WSLB_HOOK_FAILED',
    message: /no verdict: { answer: 42 }/,
  },
  'returns a code that is not sent': {
    hook: () => ({ close: 1000 }),
    code: 'WSLB_HOOK_FAILED',
    message: /cannot be sent/,
  },
  'never settles': {
    hook: () => new Promise(() => {}),
    code: 'WSLB_HOOK_TIMEOUT',
    message: /within 500 ms/,
  },
}
for (const [what, { hook, code, message }] of Object.entries(failures)) {
  t.test(`a hook that ${what} closes its tunnel with 1013, and no other`, async (t) => {
    const { fromClient, backend } = await talkative(t)
    const { url, next } = await startBalancer(t, {
      ...config(backend, (message, context) =>
        message.data === 'fine' ? undefined : hook(message, context),
      ),
      timeouts: { hook: 500 },
    })
    const other = await wsClient(t, url)
    const client = await wsClient(t, url)
    const closed = next('tunnel:close')
    client.send('hello')
    const [closeCode, reason] = (await once(client, 'close')) as [number, Buffer]
    t.same([closeCode, String(reason)], [1013, 'try again later'])
    t.match(await closed, { closedBy: 'balancer', cause: 'hook', closeCode: 1013, error: { code, message } })
    t.same(fromClient, [])
    other.send('fine')
    await once(other, 'message')
    other.close()
    await once(other, 'close')
  })
}

t.test('whatever a hook throws, rejects with or returns, only its own tunnel ends', async (t) => {
  const boom = () => {
    throw new Error('boom')
  }
  const verdicts: Record<string, () => unknown> = {
    'a reply that cannot be read': () => Object.defineProperty({}, 'reply', { get: boom }),
    'a close that cannot be read': () => Object.defineProperty({}, 'close', { get: boom }),
    'a then that cannot be read': () => Object.defineProperty({}, 'then', { get: boom }),
    'a then that throws': () => ({ then: boom }),
    'a promise that cannot be awaited': () =>
      Object.defineProperty(Promise.resolve(), 'constructor', { get: boom }),
    'bytes that are none': () => new Proxy(Buffer.from('bytes'), {}),
    'a promise of nonsense': async () => Object.defineProperty({}, 'reply', { get: boom }),
  }
  for (const [what, value] of Object.entries(hostileValues())) {
    verdicts[`returns ${what}`] = () => value
    verdicts[`promises ${what}`] = () => Promise.resolve(value)
    verdicts[`rejects with ${what}`] = () => Promise.reject(value)
    verdicts[`throws ${what}`] = () => {
      throw value
    }
  }
  const { backend } = await talkative(t)
  const { url, next } = await startBalancer(
    t,
    config(backend, ({ data }) => verdicts[String(data)]?.() as undefined),
  )
  const other = await wsClient(t, url)
  for (const what of Object.keys(verdicts)) {
    const client = await wsClient(t, url)
    const closed = next('tunnel:close')
    client.send(what)
    const [code] = (await once(client, 'close')) as [number]
    t.equal(code, 1013, what)
    t.match(await closed, {
      cause: 'hook',
      error: { code: 'WSLB_HOOK_FAILED', message: /^hooks.onMessage / },
    })
  }
  other.send('still here')
  await once(other, 'message')
  other.close()
  await once(other, 'close')
})

t.test('a thenable that settles twice counts once', async (t) => {
  const { fromClient, backend } = await talkative(t)
  const twice = {
    then(settle: (verdict: string) => void) {
      settle('one')
      settle('two')
    },
  }
  const { url } = await startBalancer(
    t,
    config(backend, { hook: () => twice as Promise<string>, from: 'client' }),
  )
  const client = await wsClient(t, url)
  const answers = heard(client)
  client.send('a')
  client.send('b')
  await until(() => answers.length === 2, 'the answers')
  t.same(fromClient, ['one', 'one'])
  client.close()
  await once(client, 'close')
})

t.test('a message that is too long closes its sender with 1009, and tells the other side', async (t) => {
  const codes: number[] = []
  const backend = await wsBackend(t, (socket) => {
    socket.on('message', () => socket.send('x'.repeat(2_000)))
    socket.on('close', (code) => codes.push(code))
  })
  const { url, next } = await startBalancer(t, config(backend, { hook: () => undefined, maxSize: 1_000 }))
  for (const [sent, toClient, toBackend, blame] of [
    ['x'.repeat(1_001), 1009, 1001, 'client'],
    ['x'.repeat(1_000), 1014, 1009, 'backend'],
  ] as const) {
    const closed = next('tunnel:close')
    const client = await wsClient(t, url)
    client.send(sent)
    const [code] = (await once(client, 'close')) as [number]
    t.equal(code, toClient)
    const error = { code: 'WSLB_MESSAGE_TOO_BIG', blame }
    t.match(await closed, { closedBy: 'balancer', cause: 'error', closeCode: 1009, error })
    await until(() => codes.length === 1, 'the backend to be told')
    t.same(codes.splice(0), [toBackend])
  }
})

t.test('what breaks the protocol is closed with 1002 or 1007', async (t) => {
  const { backend } = await talkative(t)
  const { port } = await startBalancer(
    t,
    config(backend, () => undefined),
  )
  for (const [bytes, code] of [
    [[0x81, 0x01, 0x61], 1002], // not masked
    [[0xc1, 0x81, 0, 0, 0, 0, 0x61], 1002], // RSV1, as with compression
    [[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007], // not UTF-8
  ] as const) {
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.has('\r\n\r\n')
    client.send(Buffer.from(bytes))
    await client.closed
    const close = Buffer.from(client.received, 'latin1').subarray(client.received.indexOf('\r\n\r\n') + 4)
    t.same([close[0], close.readUInt16BE(2)], [0x88, code])
    client.socket.destroy()
  }
})

t.test('a backend that agrees to an extension nobody offered is refused', async (t) => {
  const backend = await rawBackend(t, ({ socket, has }) => {
    void has('\r\n\r\n').then((head) => {
      t.notMatch(head, /extensions/i)
      socket.write(switching({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
    })
  })
  const { port } = await startBalancer(
    t,
    config(backend, () => undefined),
  )
  const client = await rawClient(t, port)
  client.send(upgradeHead({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
  await client.closed
  t.match(client.received, /^HTTP\/1\.1 502 /)
  client.socket.destroy()
})

t.test('while the hook does not settle, the sender waits; then it is over', async (t) => {
  const { backend } = await talkative(t)
  const { port, balancer, next } = await startBalancer(t, {
    ...config(backend, { hook: () => new Promise(() => {}), concurrency: 3 }),
    timeouts: { hook: '10s' },
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('\r\n\r\n')
  const closed = next('tunnel:close')
  const message = Buffer.concat([Buffer.from([0x82, 0xfe, 0x40, 0, 0, 0, 0, 0]), Buffer.alloc(0x4000)])
  let sent = 0
  while (sent < 64 * 1024 * 1024) {
    sent += message.length
    if (client.socket.write(message)) continue
    const stalled = AbortSignal.timeout(200)
    await once(client.socket, 'drain', { signal: stalled }).catch(() => {})
    if (stalled.aborted) break
  }
  t.ok(sent < 24 * 1024 * 1024, `stalled after ${sent} bytes`)
  const { bytesIn } = balancer.snapshot().tunnels[0]!
  t.ok(bytesIn < 300_000, `${bytesIn} bytes are here`)
  t.match(await closed, { error: { code: 'WSLB_HOOK_TIMEOUT' } })
  client.reset()
})

t.test('replies wait for who does not read them: it is not read either', async (t) => {
  const { backend } = await talkative(t)
  let asked = 0
  const { port, next } = await startBalancer(t, {
    ...config(backend, {
      hook() {
        asked++
        return { reply: Buffer.alloc(256 * 1024) }
      },
      from: 'client',
      concurrency: 2,
    }),
    websocket: { ping: false },
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  await client.has('\r\n\r\n')
  client.socket.pause()
  const closed = next('tunnel:close')
  const small = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0])
  client.send(Buffer.concat(Array.from({ length: 2_000 }, () => small)))
  await until(() => asked > 0, 'the first')
  for (let before = -1; before !== asked; await new Promise((resolve) => setTimeout(resolve, 100)))
    before = asked
  t.ok(asked < 200, `${asked} of 2000 were asked`)
  client.reset()
  await closed
})

t.test('the hook has the verbs of the balancer: a message begins a drain', async (t) => {
  const { backend } = await talkative(t)
  const { url, balancer } = await startBalancer(
    t,
    config(backend, {
      from: 'client',
      async hook({ data }, { balancer, backend }) {
        if (data === '/drain') await balancer.drain(backend, { over: 0, reason: 'as you wish' })
      },
    }),
  )
  const client = await wsClient(t, url)
  const closed = once(client, 'close') as Promise<[number, Buffer]>
  client.send('/drain')
  const [code, reason] = await closed
  t.same([code, String(reason)], [1012, 'as you wish'])
  t.match(balancer.snapshot().backends, [{ adminState: 'draining' }])
})

t.test(
  'of one side only: the other passes frame by frame, a reply finds its place between its messages',
  async (t) => {
    const backend = await rawBackend(t)
    const seen: string[] = []
    const { port, next } = await startBalancer(
      t,
      config(backend, {
        from: 'client',
        hook({ from, data }) {
          seen.push(`${from} ${String(data)}`)
          return { reply: 'reply' }
        },
      }),
    )
    const { client, upstream } = await rawTunnel(t, port, backend)
    upstream.socket.write(Buffer.from([0x01, 2, 0x61, 0x62]))
    await client.has(/\x01\x02ab$/)
    client.send(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x3f]))
    await until(() => seen.length === 1, 'the hook')
    upstream.socket.write(Buffer.from([0x00, 1, 0x63, 0x80, 1, 0x64, 0x81, 1, 0x65]))
    await client.has(/\x81\x01e$/)
    t.match(client.received, /\x01\x02ab\x00\x01c\x80\x01d\x81\x05reply\x81\x01e$/)
    t.same(seen, ['client ?'])
    const closed = next('tunnel:close')
    client.reset()
    await closed
  },
)

t.test('a drain: what the client sends until its Close goes through the hook', async (t) => {
  const { fromClient, backend } = await talkative(t)
  const { url, balancer, next } = await startBalancer(
    t,
    config(backend, async ({ from, data }) => {
      if (from === 'backend') return undefined
      await new Promise((resolve) => setTimeout(resolve, 5))
      return `${String(data)}!`
    }),
  )
  const client = await wsClient(t, url)
  const answers = heard(client)
  client.send('first')
  await until(() => answers.length === 1, 'the echo')
  const closed = next('tunnel:close')
  const drained = balancer.drain('blue', { over: 0 })
  client.send('second')
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]
  await drained
  t.same([code, String(reason)], [1012, 'service restart'])
  t.match(await closed, { closedBy: 'balancer', cause: 'drain', closeCode: 1012 })
  t.same(fromClient, ['first!', 'second!'])
  balancer.restore('blue')
})

t.test('the heartbeat goes on, and the Pongs to it go no further', async (t) => {
  const backend = await wsBackend(t, (socket) => socket.on('pong', () => t.fail('a Pong')))
  const { url, balancer } = await startBalancer(t, {
    ...config(backend, () => undefined),
    websocket: { ping: '1s' },
  })
  const client = await wsClient(t, url)
  client.on('pong', () => t.fail('a Pong'))
  await until(() => {
    const [tunnel] = balancer.snapshot().tunnels
    return tunnel!.clientRtt !== null && tunnel!.backendRtt !== null
  }, 'both round trips')
  client.close()
  await once(client, 'close')
})

t.test(
  'what a client sent before it vanished is delivered; the signal tells the hook of the end',
  async (t) => {
    const { fromClient, backend } = await talkative(t)
    let ended: AbortSignal | undefined
    const { url, next } = await startBalancer(
      t,
      config(backend, async (_message, { signal }) => {
        ended = signal
        await new Promise((resolve) => setTimeout(resolve, 20))
      }),
    )
    const client = await wsClient(t, url)
    const closed = next('tunnel:close')
    for (const text of ['a', 'b', 'c']) client.send(text)
    await until(() => ended !== undefined, 'the hook to run')
    t.equal(ended!.aborted, false)
    client.terminate()
    t.match(await closed, { closedBy: 'client', cause: 'error' })
    t.same(fromClient, ['a', 'b', 'c'])
    t.equal(ended!.aborted, true)
  },
)

t.test('a client that half-closes while a hook is at work: its message is delivered', async (t) => {
  const backend = await rawBackend(t)
  let asked = false
  // Longer than a silent side is waited for, shorter than the limit of a hook.
  const { port, next } = await startBalancer(t, {
    ...config(backend, {
      from: 'client',
      async hook() {
        asked = true
        await new Promise((resolve) => setTimeout(resolve, 12_000 / SPEED))
      },
    }),
    timeouts: { hook: '1m' },
  })
  const { client, upstream } = await rawTunnel(t, port, backend)
  const closed = next('tunnel:close')
  const before = upstream.received.length
  client.send(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0x21]))
  await until(() => asked, 'the hook')
  client.socket.end()
  await until(() => upstream.ended, 'the end to be passed on')
  // The message, masked, and the Close that the client did not send.
  t.match(upstream.received.slice(before), /^\x82\x81[^]{4}[^]\x88\x82/)
  upstream.socket.end()
  t.match(await closed, { closedBy: 'client', messagesIn: 1 })
})

t.test('a hook that outlasts our own Close is not waited for', async (t) => {
  const { fromClient, backend } = await talkative(t)
  let asked = false
  const { url, balancer, next } = await startBalancer(t, {
    ...config(backend, {
      from: 'client',
      hook() {
        asked = true
        return new Promise(() => {})
      },
    }),
    timeouts: { hook: '10m' },
    websocket: { closeTimeout: '1s' },
  })
  const client = await wsClient(t, url)
  const closed = next('tunnel:close')
  client.send('lost')
  await until(() => asked, 'the hook')
  balancer.closeTunnel(balancer.snapshot().tunnels[0]!.id, { code: 4000, reason: 'enough' })
  const { duration, ...end } = await closed
  t.match(end, { closedBy: 'balancer', closeCode: 4000 })
  t.ok(duration < 60_000, `after ${Math.round(duration)} ms of the balancer`)
  t.same(fromClient, [])
})

t.test('a backend that is lost: 1014, behind what it has said', async (t) => {
  const backend = await wsBackend(t, (socket) => {
    socket.send('last words')
    socket.on('message', () => socket.terminate())
  })
  const { url } = await startBalancer(
    t,
    config(backend, () => new Promise((resolve) => setTimeout(resolve, 20))),
  )
  const client = await wsClient(t, url)
  const answers = heard(client)
  client.send('go')
  const [code] = (await once(client, 'close')) as [number]
  t.equal(code, 1014)
  t.same(answers, ['last words'])
})

t.test(
  'only routes that ask for it: the others negotiate compression; a reload changes the hook of open sockets',
  async (t) => {
    const { backend } = await talkative(t)
    const routed = (hook: MessageHook): Config => ({
      pools: { chat: { backends: [backend.url], health: false } },
      routes: [
        { path: '/chat/*', pool: 'chat', hooks: { onMessage: hook } },
        { path: '/plain', pool: 'chat', hooks: { onMessage: false } },
      ],
      hooks: { onMessage: () => ({ close: 4999 }) },
    })
    const { url, balancer } = await startBalancer(
      t,
      routed(({ from, data }) => (from === 'client' ? `1 ${String(data)}` : undefined)),
    )
    const plain = await wsClient(t, `${url}/plain`, [], { perMessageDeflate: true })
    t.match(plain.extensions, /permessage-deflate/)
    const chat = await wsClient(t, `${url}/chat/1`, [], { perMessageDeflate: true })
    t.equal(chat.extensions, '')
    const [answers, others] = [heard(chat), heard(plain)]
    chat.send('hello')
    plain.send('hello')
    await until(() => answers.length === 1 && others.length === 1, 'the echoes')
    await balancer.reload({
      ...routed(({ from, data }) => (from === 'client' ? `2 ${String(data)}` : undefined)),
      listen: { port: 0, host: '127.0.0.1' },
    })
    chat.send('hello')
    await until(() => answers.length === 2, 'the echo')
    t.same([answers, others], [['1 hello', '2 hello'], ['hello']])
    for (const client of [chat, plain]) {
      client.close()
      await once(client, 'close')
    }
  },
)
