import t from 'tap'
import { type Config } from '../../lib/config/config.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { httpBackend } from '../support/backends.ts'
import { ask } from '../support/clients.ts'

// What the backend is told about the client.

const CLAIMS = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'claimed.test',
  'x-forwarded-port': '1',
  x_forwarded_for: '203.0.113.8',
  'x-real-ip': '203.0.113.9',
  forwarded: 'for=203.0.113.10',
}

async function received(
  t: Scope,
  config: Config,
  headers: Record<string, string>,
): Promise<Record<string, string>> {
  const backend = await httpBackend(t, (request, response) => response.end(JSON.stringify(request.headers)))
  const { url } = await startBalancer(t, { backends: [backend.url], ...config })
  const { body } = await ask(url, { headers: { host: 'real.test', ...headers } })
  return JSON.parse(body) as Record<string, string>
}

t.test('claims of a stranger are replaced or dropped, under whatever name', async (t) => {
  const headers = await received(t, {}, CLAIMS)
  t.match(headers, {
    host: 'real.test',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'real.test',
  })
  t.notMatch(JSON.stringify(headers), /203\.0\.113|claimed/)
})

for (const trustProxy of [true, '127.0.0.1', ['10.0.0.0/8', '127.0.0.0/8']]) {
  t.test(`claims of a trusted peer are believed and passed on: ${JSON.stringify(trustProxy)}`, async (t) => {
    const headers = await received(t, { trustProxy }, CLAIMS)
    t.match(headers, {
      host: 'real.test',
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'claimed.test',
      'x-real-ip': '203.0.113.9',
    })
  })
}

t.test('the client of a chain is the first from the right that is no proxy of ours', async (t) => {
  let client = ''
  const config: Config = {
    trustProxy: ['127.0.0.1', '10.0.0.0/8'],
    hooks: { onRequest: (request) => void (client = request.clientAddress) },
  }
  await received(t, config, { 'x-forwarded-for': '192.0.2.66, 203.0.113.7, 10.1.2.3' })
  t.equal(client, '203.0.113.7')
})
