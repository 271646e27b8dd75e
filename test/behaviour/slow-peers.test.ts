import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { startBalancer } from '../support/balancer.ts'
import { type RawConnection, httpBackend, rawBackend } from '../support/backends.ts'
import { ask, rawClient, rawTunnel } from '../support/clients.ts'
import { until } from '../support/until.ts'

// Peers that are slow, by nature or on purpose.

t.test('a client that sends its head a byte at a time is closed at the header timeout', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end())
  const { port } = await startBalancer(t, { backends: [backend.url], timeouts: { headers: 300 } })
  for (const text of ['GET /', 'GET / HTTP/1.1\r\nHost: example.test\r\nX: ']) {
    const client = await rawClient(t, port)
    client.send(text)
    const drip = setInterval(() => client.send('x'), 20)
    await client.closed
    clearInterval(drip)
    t.match(client.received, /^(HTTP\/1\.1 408 |$)/)
  }
  t.equal(backend.total, 0)
})

t.test('a client that connects and says nothing is closed at the header timeout', async (t) => {
  const { port } = await startBalancer(t, { backends: [], timeouts: { headers: 300 } })
  const client = await rawClient(t, port)
  await client.closed
  t.match(client.received, /^(HTTP\/1\.1 408 |$)/)
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const MANY = 64 * 1024 * 1024
/** What both kernels may hold on the way, with room to spare. */
const KERNEL = 24 * 1024 * 1024

for (const [reader, writer] of [
  ['client', 'backend'],
  ['backend', 'client'],
] as const) {
  t.test(
    `a ${reader} that stops reading stalls the ${writer} of its tunnel; memory stays bounded`,
    async (t) => {
      const backend = await rawBackend(t)
      const { port } = await startBalancer(t, { backends: [backend.url] })
      const { client, upstream } = await rawTunnel(t, port, backend)
      const slow: RawConnection = reader === 'client' ? client : upstream
      const source: RawConnection = reader === 'client' ? upstream : client
      slow.socket.removeAllListeners('data')
      slow.socket.pause()
      const before = heldBytes()
      const sent = await flood(source)
      t.ok(sent < KERNEL, `stalled after ${sent} bytes`)
      // Collected buffers are given back a little later, by a thread of V8.
      await until(() => heldBytes() - before < 4 * 1024 * 1024, 'little to be held in this process')
      let arrived = 0
      slow.socket.on('data', (chunk: Buffer) => (arrived += chunk.length))
      slow.socket.resume()
      await until(() => arrived >= sent, 'everything to arrive once it reads again')
      t.equal(arrived, sent)
      client.reset()
    },
  )
}

t.test('a client that stops reading a response stalls the backend', async (t) => {
  const backend = await rawBackend(t)
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send('GET / HTTP/1.1\r\nHost: example.test\r\n\r\n')
  const upstream = await backend.connection(0)
  await upstream.has('\r\n\r\n')
  client.socket.pause()
  upstream.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${MANY}\r\n\r\n`)
  const sent = await flood(upstream)
  t.ok(sent < KERNEL, `stalled after ${sent} bytes`)
  client.reset()
  await until(() => upstream.socket.destroyed || upstream.ended, 'the upstream request to be aborted')
})

t.test('a backend that stops reading a request body stalls the client', async (t) => {
  const backend = await rawBackend(t, ({ socket }) => {
    socket.once('data', () => {
      socket.removeAllListeners('data')
      socket.pause()
    })
  })
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(`POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: ${MANY}\r\n\r\n`)
  await backend.connection(0)
  const sent = await flood(client)
  t.ok(sent < KERNEL, `stalled after ${sent} bytes`)
  client.reset()
})

t.test('a body of many megabytes passes both ways, whole', async (t) => {
  const backend = await httpBackend(t, (request, response) => void request.pipe(response))
  const { url } = await startBalancer(t, { backends: [backend.url] })
  const body = Buffer.alloc(8 * 1024 * 1024, 'abcdefghij')
  const answer = await ask(url, { method: 'POST', body, headers: { 'content-length': body.length } })
  t.equal(answer.body.length, body.length)
  t.ok(answer.body === body.toString())
})

/** Bytes of buffers that are in use, garbage not counted. */
function heldBytes(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** Writes until nothing has moved for a while. @returns bytes that have left this process */
async function flood({ socket }: RawConnection): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  let sent = 0
  while (sent < MANY) {
    sent += chunk.length
    if (socket.write(chunk)) continue
    const stalled = new AbortController()
    const timer = setTimeout(() => stalled.abort(), 400)
    const moved = await once(socket, 'drain', { signal: stalled.signal }).then(
      () => true,
      () => false,
    )
    clearTimeout(timer)
    if (!moved) break
  }
  return sent
}

t.test(
  'a client that sends nothing more of its body is given up, one that sends slowly is not',
  async (t) => {
    const backend = await httpBackend(t, (request, response) => void request.pipe(response))
    const { port, balancer } = await startBalancer(t, { backends: [backend.url], timeouts: { body: '2s' } })
    const slow = await rawClient(t, port)
    slow.send('POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 20\r\n\r\n')
    const silent = await rawClient(t, port)
    silent.send('POST / HTTP/1.1\r\nHost: example.test\r\nContent-Length: 20\r\n\r\nhalf')
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      slow.send('x')
    }
    await slow.has('0\r\n\r\n')
    t.match(slow.received, /^HTTP\/1\.1 200 /)
    await until(() => balancer.snapshot().backends[0]!.load === 0, 'the silent one to be given up')
    slow.reset()
    silent.reset()
  },
)
