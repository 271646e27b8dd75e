import t from 'tap'
import { type Hook, type HookAnswer } from '../../lib/proxy/hooks.ts'
import { startBalancer } from '../support/balancer.ts'
import { httpBackend, wsBackend } from '../support/backends.ts'
import { ask, rawClient, upgradeHead, wsClient } from '../support/clients.ts'

const misbehaving: Record<string, [hook: Hook, status: number, code: string]> = {
  throws: [
    () => {
      throw new Error('secret')
    },
    500,
    'WSLB_HOOK_FAILED',
  ],
  rejects: [() => Promise.reject(new Error('secret')), 500, 'WSLB_HOOK_FAILED'],
  'throws no error at all': [() => Promise.reject(undefined), 500, 'WSLB_HOOK_FAILED'],
  'throws its own status': [
    () => Promise.reject(Object.assign(new Error('not today'), { status: 451 })),
    451,
    'WSLB_REFUSED',
  ],
  'never settles': [() => new Promise(() => {}), 504, 'WSLB_HOOK_TIMEOUT'],
  'answers nonsense': [() => ({ status: 99 }), 500, 'WSLB_HOOK_FAILED'],
  'answers with a header that would split the answer': [
    () => ({ status: 302, headers: { location: '/x\r\nSet-Cookie: secret=1' } }),
    500,
    'WSLB_HOOK_FAILED',
  ],
  'rejects after its time': [
    (_request, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error()))),
    504,
    'WSLB_HOOK_TIMEOUT',
  ],
}

for (const [name, [hook, status, code]] of Object.entries(misbehaving)) {
  t.test(`a hook that ${name}: ${status} for the request and for the upgrade`, async (t) => {
    const backend = await wsBackend(t)
    const { url, port } = await startBalancer(t, {
      backends: [backend.url],
      hooks: { onRequest: hook, onUpgrade: hook },
      timeouts: { hook: '2s' },
    })
    const answer = await ask(url)
    t.equal(answer.status, status)
    t.match(answer.body, code)
    t.notMatch(answer.body, 'secret')
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.closed
    t.match(client.received, `HTTP/1.1 ${status} `)
    t.match(client.received, code)
    t.equal(backend.total, 0, 'nothing was dialled')
  })
}

t.test('a hook answers, redirects, and edits headers both ways', async (t) => {
  const backend = await httpBackend(t, ({ headers }, response) => {
    response.setHeader('x-from-backend', '1')
    response.end(JSON.stringify(headers))
  })
  const { url, next } = await startBalancer(t, {
    backends: [backend.url],
    hooks: {
      onRequest(request): HookAnswer | undefined {
        if (request.path === '/moved') return { status: 302, headers: { location: '/here' } }
        if (request.path === '/page')
          return { status: 200, headers: { 'content-type': 'text/html' }, body: '<p>' }
        request.toBackend.set('x-user', 'ann').remove('x-secret')
        request.toClient.append('x-seen', 'yes').remove('x-from-backend')
        request.context.user = 'ann'
        return undefined
      },
    },
  })
  t.match(await ask(`${url}/moved`), { status: 302, headers: { location: '/here' } })
  t.match(await ask(`${url}/page`), { status: 200, body: '<p>', headers: { 'content-type': 'text/html' } })
  const done = next('request:done')
  const { headers, body } = await ask(url, { headers: { 'x-secret': '1' } })
  t.match(JSON.parse(body), { 'x-user': 'ann', 'x-secret': undefined })
  t.match(headers, { 'x-seen': 'yes', 'x-from-backend': undefined })
  t.match((await done).request.context, { user: 'ann' })
})

t.test('the 204 of a hook has no Content-Length', async (t) => {
  const backend = await wsBackend(t)
  const hook = () => ({ status: 204, headers: { 'x-own': '1' }, body: 'not sent' })
  const { port } = await startBalancer(t, {
    backends: [backend.url],
    hooks: { onRequest: hook, onUpgrade: hook },
  })
  for (const head of ['GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n', upgradeHead()]) {
    const client = await rawClient(t, port)
    client.send(head)
    await client.closed
    t.match(client.received, /^HTTP\/1\.1 204 No Content\r\n[^]*x-own: 1\r\n[^]*\r\n\r\n/i)
    t.notMatch(client.received, /content-length|transfer-encoding/i)
  }
})

t.test('a hook that edits an upgrade edits the 101', async (t) => {
  const seen: unknown[] = []
  const backend = await wsBackend(t, () => {}, {
    verifyClient: ({ req }: { req: { headers: object } }) => seen.push(req.headers) > 0,
  })
  const { port } = await startBalancer(t, {
    backends: [backend.url],
    hooks: {
      onUpgrade: (request) => void (request.toBackend.set('x-user', 'ann'), request.toClient.set('x-a', 'b')),
    },
  })
  const client = await rawClient(t, port)
  client.send(upgradeHead())
  t.match(await client.has('\r\n\r\n'), /^HTTP\/1\.1 101 [^]*x-a: b\r\n/i)
  t.match(seen, [{ 'x-user': 'ann' }])
  client.reset()
})

t.test('after all that the process serves on', async (t) => {
  const backend = await wsBackend(t)
  const { url } = await startBalancer(t, { backends: [backend.url] })
  t.equal((await wsClient(t, url)).readyState, 1)
})

t.test('a hook that touches the framing gets a clean 5xx, and nothing is left behind', async (t) => {
  const backend = await wsBackend(t)
  for (const name of [
    'Trailer',
    'Expect',
    'TE',
    'Transfer-Encoding',
    'Content-Length',
    'Connection',
    'Upgrade',
  ]) {
    for (const side of ['toBackend', 'toClient'] as const) {
      const hook: Hook = (request) => void request[side].set(name, 'x')
      const { url, port, balancer } = await startBalancer(t, {
        backends: [backend.url],
        hooks: { onRequest: hook, onUpgrade: hook },
      })
      t.equal((await ask(url)).status, 500, `${side} ${name}`)
      const client = await rawClient(t, port)
      client.send(upgradeHead())
      await client.closed
      t.match(client.received, /^HTTP\/1\.1 500 /)
      t.equal(balancer.snapshot().backends[0]!.failures, 0)
    }
  }
})
