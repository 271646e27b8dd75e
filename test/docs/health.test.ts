import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type HealthConfig } from '../../lib/config/config.ts'
import { loadConfig } from '../../lib/config/load-config.ts'
import { sockJsApp, socketIoApp } from '../support/apps.ts'
import { httpBackend, wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ROOT } from '../support/tree.ts'
import { until } from '../support/until.ts'

const page = readFileSync(new URL('docs/health.md', ROOT), 'utf8')

/** What the first probe of a backend has found. */
async function firstProbe(t: Test, url: string, health: HealthConfig) {
  const { balancer } = await startBalancer(t, { backends: [url], health: { timeout: '60s', ...health } })
  const backend = () => balancer.snapshot().backends[0]!
  await until(() => backend().lastProbe !== null, 'the first probe')
  return backend().lastProbe!.failure
}

/** A row of the page, as it is written there. */
function advised(health: HealthConfig, written: string): HealthConfig {
  t.ok(page.includes(`\`${written}\``), written)
  return health
}

t.test('what the page advises finds a Socket.IO server well', async (t) => {
  const { url } = await socketIoApp(t, 'a')
  const polling = advised({ path: '/socket.io/', expect: 400 }, "{ path: '/socket.io/', expect: 400 }")
  t.equal(await firstProbe(t, url, polling), null)
  const path = '/socket.io/?EIO=4&transport=websocket'
  const socket = advised(
    { probe: 'websocket', path, ping: true },
    `{ probe: 'websocket', path: '${path}', ping: true }`,
  )
  t.equal(await firstProbe(t, url, socket), null)
})

t.test('what the page advises finds a SockJS server and a ws server well', async (t) => {
  const sockJs = advised(
    { method: 'GET', path: '/echo/info', expect: { body: 'websocket' } },
    "{ method: 'GET', path: '/echo/info', expect: { body: 'websocket' } }",
  )
  t.equal(await firstProbe(t, (await sockJsApp(t, 'a')).url, sockJs), null)
  t.match(
    await firstProbe(t, (await httpBackend(t, (_, response) => response.end('no'))).url, sockJs),
    /without/,
  )
  const ws = advised({ probe: 'websocket', ping: true }, "{ probe: 'websocket', ping: true }")
  t.equal(await firstProbe(t, (await wsBackend(t)).url, ws), null)
})

t.test('the probe of your own asks both sides, and either can fail', async (t) => {
  const block = /## A probe of your own[^]*?```ts\n([^]*?)```/.exec(page)![1]!
  const state = { ready: true, chats: true }
  const backend = await wsBackend(t, (socket) => socket.on('error', () => {}), {
    path: '/chat',
    verifyClient: () => state.chats,
  })
  backend.server.removeAllListeners('request')
  backend.server.on('request', (_request, response) => response.end(JSON.stringify({ ready: state.ready })))
  const text = block.replace('http://127.0.0.1:3001', backend.url)
  const config = await loadConfig(join(t.testdir({ 'lb.config.ts': text }), 'lb.config.ts'))
  const { health } = config
  const probe = async () => firstProbe(t, backend.url, health as HealthConfig)
  t.equal(await probe(), null)
  state.chats = false
  t.match(await probe(), /the upgrade of \/chat was answered 401 and not 101/)
  state.ready = false
  t.match(await probe(), /GET \/ready answered 200 without "\\"ready\\":true"/)
})
