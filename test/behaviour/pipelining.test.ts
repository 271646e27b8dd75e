import t from 'tap'
import { httpBackend, rawBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { rawClient, upgradeHead } from '../support/clients.ts'
import { until } from '../support/until.ts'

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: example.test\r\n${fields}\r\n`

t.test('pipelined requests are served one after the other, in order', async (t) => {
  const paths: string[] = []
  const backend = await httpBackend(t, ({ url = '' }, response) => {
    paths.push(url)
    setImmediate(() => response.end(`<${url}>`))
  })
  const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(Array.from({ length: 50 }, (_, i) => get(`/${i}`)).join(''))
  await client.has('</49>')
  t.strictSame(
    [...client.received.matchAll(/<\/(\d+)>/g)].map(([, number]) => Number(number)),
    Array.from({ length: 50 }, (_, i) => i),
  )
  t.equal(paths.length, 50)
  t.ok(backend.total <= 2, `over ${backend.total} connections to the backend`)
  t.equal(balancer.snapshot().backends[0]!.load, 0)
  client.reset()
})

t.test('a client that pipelines and leaves leaves nothing behind', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.writeHead(200).write('never ends'))
  const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
  const client = await rawClient(t, port)
  client.send(get('/slow') + get('/sse') + get('/more'))
  await client.has('never ends')
  t.equal(balancer.snapshot().backends[0]!.load, 1)
  client.reset()
  await until(() => balancer.snapshot().backends[0]!.load === 0 && backend.open === 0, 'all to end')
  t.equal(backend.total, 1, 'the others were never sent')
})

for (const [name, second] of Object.entries({
  'an upgrade': upgradeHead(),
  'an offer of h2c': get('/b', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'),
})) {
  t.test(`${name} behind a request that is not answered yet mixes nothing`, async (t) => {
    const backend = await rawBackend(t)
    const { port, balancer } = await startBalancer(t, { backends: [backend.url] })
    const client = await rawClient(t, port)
    client.send(get('/slow') + second)
    await client.closed
    t.equal(client.received, '')
    await until(() => balancer.snapshot().backends[0]!.load === 0, 'the request to be given up')
  })
}

t.test('h2c offers one after the other on one connection add no listeners', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('plain'))
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const warnings: string[] = []
  const onWarning = ({ name }: Error) => warnings.push(name)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const client = await rawClient(t, port)
  for (let i = 1; i <= 30; i++) {
    client.send(
      get('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'),
    )
    await until(() => client.received.split('plain').length > i, 'the answer')
  }
  t.strictSame(warnings, [])
  client.reset()
})

t.test('nothing behind an ambiguous request is a request, in the same segment or later', async (t) => {
  const backend = await httpBackend(t, (_request, response) => response.end('evil'))
  const { port } = await startBalancer(t, { backends: [backend.url] })
  const ambiguous =
    'POST /p HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'
  const together = await rawClient(t, port)
  together.send(ambiguous + get('/evil'))
  await together.closed
  const later = await rawClient(t, port)
  later.send(ambiguous)
  await later.has('400 Bad Request')
  later.send(get('/evil'))
  await later.closed
  for (const { received } of [together, later]) t.equal(received.match(/HTTP\/1\.1 /g)?.length, 1, received)
  t.equal(backend.total, 0)
})
