import t from 'tap'
import { httpProbe, type HttpProbeOptions } from '../../lib/health/http-probe.ts'
import { ask, probeContract } from '../contract/probe.ts'
import { httpBackend, rawBackend } from '../support/backends.ts'

probeContract({
  make: () => httpProbe(),
  well: (t) => httpBackend(t, (_request, response) => response.end('well')),
})

probeContract({
  make: () => httpProbe({ expect: { body: 'well' } }),
  well: (t) => httpBackend(t, (_request, response) => response.end('all is well')),
})

t.test('what is expected decides: a status, some, a predicate, a body', async (t) => {
  const backend = await httpBackend(t, ({ url }, response) => {
    response.statusCode = Number(url!.slice(1))
    response.end('{"ready": true, "name": "blüe"}')
  })
  const well: HttpProbeOptions[] = [
    { path: '/200' },
    { path: '/399' },
    { path: '/400', expect: 400 },
    { path: '/204', expect: [200, 204] },
    { path: '/503', expect: (status) => status > 500 },
    { path: '/200', expect: { body: '"ready": true' } },
    { path: '/200', expect: { body: 'blüe' } },
    { path: '/200', expect: { body: /^\{.*\}$/ } },
    { path: '/404', expect: { status: [200, 404], body: /ready/g } },
    { path: '/400', expect: { status: 400 } },
  ]
  for (const options of well) {
    const probe = httpProbe(options)
    await ask(probe, backend.url)
    await ask(probe, backend.url)
    t.pass(JSON.stringify(options))
  }
  const unwell: [HttpProbeOptions, string | RegExp][] = [
    [{ path: '/404' }, 'HEAD /404 answered 404 (see health.path and health.expect)'],
    [{ path: '/200', expect: 400 }, /answered 200/],
    [{ path: '/200', expect: () => Promise.resolve(false) as unknown as boolean }, /answered 200/],
    [{ path: '/200', expect: () => Promise.reject(new Error('mine')) as unknown as boolean }, 'mine'],
    [
      {
        path: '/200',
        expect: () => {
          throw new Error('thrown')
        },
      },
      'thrown',
    ],
    [
      { path: '/200', expect: { body: 'happy' } },
      'GET /200 answered 200 without "happy" (see health.expect.body), but "{\\"ready\\": true, \\"name\\": \\"blüe\\"}"',
    ],
    [{ path: '/200', expect: { body: /^ready/ } }, /without \/\^ready\//],
    [{ path: '/503', expect: { body: 'ready' } }, /answered 503 \(see/],
  ]
  for (const [options, message] of unwell) {
    await t.rejects(ask(httpProbe(options), backend.url), { message })
  }
})

t.test('of a body without end 64 KiB are read', async (t) => {
  const backend = await httpBackend(t, ({ url }, response) => {
    response.write(`first${'x'.repeat(65_531)}${url === '/late' ? 'late' : ''}`)
    const more = setInterval(() => response.write('y'.repeat(10_000)), 1)
    response.on('close', () => clearInterval(more))
  })
  await ask(httpProbe({ expect: { body: 'first' } }), backend.url)
  await t.rejects(ask(httpProbe({ path: '/late', expect: { body: 'late' } }), backend.url), {
    message: /without "late"/,
  })
})

t.test('an answer that ends too soon, or comes packed, is no good answer', async (t) => {
  const answers = ['Content-Length: 10\r\n\r\nrea', 'Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx']
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${answers.shift()}`)),
  )
  const probe = httpProbe({ expect: { body: 'ready' } })
  await t.rejects(ask(probe, backend.url), { message: 'broke off in the middle of its answer' })
  await t.rejects(ask(probe, backend.url), { message: /answered in gzip/ })
  t.match(backend.connections[0]!.received, /^GET \/ HTTP\/1.1\r\n[^]*accept-encoding: identity\r\n/i)
})

t.test('headers are sent as they are, in place of ours', async (t) => {
  const backend = await rawBackend(t, ({ socket }) =>
    socket.once('data', () => socket.end('HTTP/1.1 101 Odd\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')),
  )
  const probe = httpProbe({ method: 'OPTIONS', path: '/a?b', headers: { Host: 'app.test', 'X-Key': 'k' } })
  await t.rejects(ask(probe, backend.url), { message: 'OPTIONS /a?b answered 101, a change of protocol' })
  const { received } = backend.connections[0]!
  t.match(received, /^OPTIONS \/a\?b HTTP\/1.1\r\n/)
  t.match(received, /Host: app.test\r\n/)
  t.match(received, /X-Key: k\r\n/)
  t.notMatch(received, /127\.0\.0\.1/)
})

t.test('HEAD and a body do not go together', async (t) => {
  const wrong = () => httpProbe({ method: 'HEAD', expect: { body: 'x' } })
  t.throws(wrong, { code: 'WSLB_CONFIG_INVALID', message: /write method: "GET"/ })
})
