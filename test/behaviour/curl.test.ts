import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { systemClock } from '../../lib/core/clock.ts'
import { httpBackend, wsBackend } from '../support/backends.ts'
import { type Scope, startBalancer, inTurn } from '../support/balancer.ts'
import { ACCEPT, KEY, textOf } from '../support/clients.ts'

const found = spawnSync('curl', ['--version'])
const http2 = String(found.stdout).includes('HTTP2')

/** @returns everything curl writes; stderr with what `-v` says of the exchange */
async function curl(
  args: string[],
  input?: Buffer,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn('curl', ['-sS', '--max-time', '10', ...args])
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ])
  return { code, stdout, stderr }
}

/** Says what came. */
function startMirror(t: Scope) {
  return httpBackend(t, (request, response) => {
    void textOf(request).then((body) => {
      response.end(
        `${request.method} ${request.url} ${body.length} upgrade=${request.headers.upgrade ?? 'no'}\n`,
      )
    })
  })
}

if (found.status !== 0) {
  t.pass('no curl on the PATH')
} else {
  t.test('a plain request', async (t) => {
    const { url } = await startBalancer(t, { backends: [(await startMirror(t)).url] }, { clock: systemClock })
    const { code, stdout } = await curl(['-i', `${url}/a?b=c`])
    t.equal(code, 0)
    t.match(stdout, /^HTTP\/1\.1 200 OK\r\n/)
    t.match(stdout, /\r\nset-cookie: server=/i)
    t.match(stdout, /\r\n\r\nGET \/a\?b=c 0 upgrade=no\n$/)
  })

  t.test('requests share one connection, and a cookie jar leads back', async (t) => {
    const backends = await Promise.all(
      ['red', 'blue', 'green'].map((name) =>
        httpBackend(t, (_request, response) => response.end(`${name}\n`)),
      ),
    )
    const urls = backends.map(({ url }) => url)
    const { url } = await startBalancer(t, { backends: urls, balance: inTurn() }, { clock: systemClock })
    const thrice = await curl(['-v', '-b', '', url, url, url])
    t.match(thrice.stderr, /Re-using existing connection/i)
    t.match(thrice.stdout, /^(red|blue|green)\n\1\n\1\n$/)
  })

  t.test('an offer of h2c is passed over', async (t) => {
    const { url } = await startBalancer(t, { backends: [(await startMirror(t)).url] }, { clock: systemClock })
    const offer = http2
      ? ['--http2']
      : ['-H', 'Connection: Upgrade, HTTP2-Settings', '-H', 'Upgrade: h2c', '-H', 'HTTP2-Settings: AAMAAABk']
    const { code, stdout, stderr } = await curl(['-v', ...offer, `${url}/x`, `${url}/y`])
    t.equal(code, 0)
    t.match(stderr, /Upgrade: h2c/i, 'it was offered')
    t.equal(stdout, 'GET /x 0 upgrade=no\nGET /y 0 upgrade=no\n')
  })

  t.test('an upload waits for 100 Continue, and gets it', async (t) => {
    const { url } = await startBalancer(t, { backends: [(await startMirror(t)).url] }, { clock: systemClock })
    const body = Buffer.alloc(3_000_000, 'x')
    const args = ['-v', '-T', '-', '-H', 'Expect: 100-continue', '--expect100-timeout', '9']
    const { code, stdout, stderr } = await curl([...args, `${url}/file`], body)
    t.equal(code, 0)
    t.match(stderr, /< HTTP\/1\.1 100 Continue/)
    t.equal(stdout, 'PUT /file 3000000 upgrade=no\n')
  })

  t.test('an upload that is refused is not sent', async (t) => {
    const hooks = { onRequest: () => ({ status: 413 }) }
    const backend = await startMirror(t)
    const { url } = await startBalancer(t, { backends: [backend.url], hooks }, { clock: systemClock })
    const args = ['-v', '-T', '-', '-H', 'Expect: 100-continue', '--expect100-timeout', '9']
    const { stderr } = await curl([...args, `${url}/file`], Buffer.alloc(3_000_000))
    t.match(stderr, /< HTTP\/1\.1 413/)
    t.notMatch(stderr, /100 Continue/)
    t.equal(backend.total, 0)
  })

  t.test('TLS with the self-signed certificate', async (t) => {
    const listen = { port: 0, host: '127.0.0.1', tls: 'self-signed' as const }
    const { url } = await startBalancer(
      t,
      { listen, backends: [(await startMirror(t)).url] },
      { clock: systemClock },
    )
    const { stdout } = await curl(['-k', '-i', `${url}/secret`])
    t.match(stdout, /^HTTP\/1\.1 200/, 'HTTP/2 is not agreed on')
    t.match(stdout, /set-cookie: server=[^\r]*; Secure/i)
    t.match(stdout, /GET \/secret 0/)
    t.not((await curl([`${url}/secret`])).code, 0, 'and not without -k')
  })

  t.test('a WebSocket handshake by hand', async (t) => {
    const backend = await wsBackend(t, (socket) => socket.send('hello', () => socket.terminate()))
    const { url } = await startBalancer(t, { backends: [backend.url] }, { clock: systemClock })
    const fields = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${KEY}`,
    ]
    const { stdout } = await curl(['-i', '-N', '--http1.1', ...fields.flatMap((field) => ['-H', field]), url])
    t.match(stdout, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    t.match(stdout, ACCEPT)
    t.match(stdout, /set-cookie: server=/i)
    t.match(stdout, '\u0005hello', 'the first frame')
  })
}
