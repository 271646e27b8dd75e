import { type RequestListener, type Server, createServer } from 'node:http'
import { createServer as createHttps } from 'node:https'
import express from 'express'
import Fastify from 'fastify'
import httpProxy from 'http-proxy'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { type Balancer, WslbError, createBalancer } from '../../lib/index.ts'
import { deadUrl, httpBackend } from '../support/backends.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ask } from '../support/clients.ts'
import { chatOnly, greeting, listen, mirror, thrownByPick } from '../support/embedding.ts'
import { inTurn } from '../support/balancer.ts'
import { until } from '../support/until.ts'

/** Routes a WebSocket at `/own` beside ours, and everything else by hand. */
function ownEndpoint(server: Server, { handleUpgrade }: Balancer): void {
  const own = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    if (handleUpgrade(request, socket, head)) return
    own.handleUpgrade(request, socket, head, (client) => client.send(`own ${request.url}`))
  })
}

const servers: Record<string, (handler: RequestListener) => Promise<Server>> = {
  'node:http': async (handler) => createServer(handler),
  'node:https': async (handler) => createHttps(await makeCertificate(), handler),
}
for (const [name, create] of Object.entries(servers)) {
  t.test(`inside ${name}: what is routed is balanced, the rest stays with the server`, async (t) => {
    const { balancer } = await chatOnly(t)
    const server = await create((request, response) =>
      balancer.handleRequest(request, response, () => void response.end('own')),
    )
    ownEndpoint(server, balancer)
    const url = `${name.slice(5)}://${await listen(t, server)}`
    t.equal((await ask(`${url}/chat?x=1`, { method: 'POST', body: 'body' })).body, 'POST /chat?x=1 body')
    t.equal((await ask(`${url}/else`)).body, 'own')
    t.equal(await greeting(t, `${url}/chat/room`), 'backend /chat/room')
    t.equal(await greeting(t, `${url}/own`), 'own /own', 'its socket was left untouched')
    t.match(balancer.snapshot(), { listeners: [], backends: [{ requests: 1, upgrades: 1 }] })
    await until(() => balancer.snapshot().backends[0]!.load === 0, 'the tunnel to end')
  })
}

t.test('the methods are bound: they can be given to `on` as they are', async (t) => {
  const backend = await mirror(t)
  const balancer = createBalancer({ backends: [backend.url], health: false })
  t.teardown(() => balancer.close())
  const server = createServer().on('request', balancer.handleRequest).on('upgrade', balancer.handleUpgrade)
  const url = `http://${await listen(t, server)}`
  t.equal((await ask(url)).body, 'GET / ')
  t.equal(await greeting(t, url), 'backend /')
  const h2c = await ask(`${url}/h2c`, { headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' } })
  t.equal(h2c.body, 'GET /h2c ', 'another protocol is passed over, where nobody else would answer')
})

t.test('without a `next` a path without a route gets 404', async (t) => {
  const { balancer } = await chatOnly(t)
  const url = `http://${await listen(t, createServer(balancer.handleRequest))}`
  t.equal((await ask(`${url}/else`)).status, 404)
})

t.test('inside Express: as middleware, and mounted at a path', async (t) => {
  const { balancer } = await chatOnly(t)
  const app = express()
  app.use('/chat', balancer.handleRequest)
  app.use(express.json())
  app.post('/own', (request, response) => void response.json(request.body))
  const server = createServer(app)
  ownEndpoint(server, balancer)
  const url = `http://${await listen(t, server)}`
  t.equal(
    (await ask(`${url}/chat/a?b=c`)).body,
    'GET /chat/a?b=c ',
    'the backend gets the path the client asked for',
  )
  t.equal((await ask(`${url}/chat`)).body, 'GET /chat ')
  t.equal(await greeting(t, `${url}/chat/a`), 'backend /chat/a', 'as it does over WebSocket')
  const own = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }
  t.equal((await ask(`${url}/own`, own)).body, '{"a":1}')
  t.equal((await ask(`${url}/nothing`)).status, 404, 'answered by Express')
  t.equal(await greeting(t, `${url}/own`), 'own /own')
})

t.test('behind a body parser: the program is told, and no backend is suspected', async (t) => {
  const { balancer } = await chatOnly(t)
  const app = express()
  app.use(express.json(), balancer.handleRequest)
  const url = `http://${await listen(t, createServer(app))}/chat`
  const done = new Promise((resolve) => balancer.once('request:done', resolve))
  const answer = await ask(url, {
    method: 'POST',
    body: '{"a":1}',
    headers: { 'content-type': 'application/json' },
  })
  t.equal(answer.status, 500)
  t.match(await done, { error: { code: 'WSLB_BODY_CONSUMED', message: /body parsers/ } })
  t.match(balancer.snapshot().backends[0], { health: 'up', failures: 0, load: 0 })
})

t.test('inside Fastify: its routes and its own WebSocket endpoint stay its own', async (t) => {
  const { balancer } = await chatOnly(t)
  const app = Fastify({
    serverFactory: (fastify) =>
      createServer((request, response) =>
        balancer.handleRequest(request, response, () => fastify(request, response)),
      ),
  })
  app.get('/own', () => 'fastify')
  ownEndpoint(app.server, balancer)
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal((await ask(`${url}/chat`, { method: 'POST', body: 'x' })).body, 'POST /chat x')
  t.equal((await ask(`${url}/own`)).body, 'fastify')
  t.equal(await greeting(t, `${url}/chat`), 'backend /chat')
  t.equal(await greeting(t, `${url}/own`), 'own /own')
})

t.test('pick drives http-proxy: sticky, and a failure is held against the backend', async (t) => {
  const [red, blue] = await Promise.all(
    ['red', 'blue'].map((name) => httpBackend(t, (_request, response) => response.end(name))),
  )
  const dead = await deadUrl()
  const balancer = createBalancer({
    backends: [red!.url, blue!.url, { id: 'dead', url: dead }],
    balance: inTurn(),
    health: { interval: '1h', probe: () => new Promise(() => {}), timeout: '1h', debounce: '1h' },
  })
  t.teardown(() => balancer.close())
  const proxy = httpProxy.createProxyServer()
  const server = createServer((request, response) => {
    const choice = balancer.pick(request)
    const { backend, headers } = choice
    if (headers['set-cookie']) response.setHeader('set-cookie', [...headers['set-cookie']])
    response.once('close', () => choice.release())
    proxy.web(request, response, { target: backend.url }, (error) => {
      choice.release(error)
      response.writeHead(502).end()
    })
  })
  const url = `http://${await listen(t, server)}`
  const first = await ask(url)
  t.equal(first.body, 'red')
  const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
  const again = await ask(url, { headers: { cookie } })
  t.equal(again.body, 'red')
  t.equal(again.headers['set-cookie'], undefined)
  const trouble = new Promise<string>((resolve) =>
    balancer.on('backend:suspect', ({ backend }) => resolve(backend)),
  )
  t.equal((await ask(url)).body, 'blue')
  t.equal((await ask(url)).status, 502)
  t.equal(await trouble, 'dead')
  for (let i = 0; i < 4; i++) t.equal((await ask(url)).status, 200, 'and avoided from then on')
  t.match(balancer.snapshot().backends[2], { id: 'dead', health: 'suspect', failures: 1 })
  await until(
    () => balancer.snapshot().backends.every(({ load }) => load === 0),
    'every lease to be released',
  )
})

t.test('pick throws what there is to say', async (t) => {
  const { balancer } = await chatOnly(t)
  const thrown = await thrownByPick(t, balancer, '/else')
  t.ok(thrown[0] instanceof WslbError)
  t.match(thrown[0], { code: 'WSLB_NO_ROUTE', status: 404, blame: 'client' })
})

t.test('a release counts once, however often it is called', async (t) => {
  const { balancer } = await chatOnly(t)
  const server = createServer((request, response) => {
    const [one, two] = [balancer.pick(request), balancer.pick(request)]
    t.equal(balancer.snapshot().backends[0]!.load, 2)
    one.release()
    one.release(new Error('late'))
    t.match(balancer.snapshot().backends[0], { load: 1, failures: 0 })
    two.release()
    response.end()
  })
  await ask(`http://${await listen(t, server)}/chat`)
  t.equal(balancer.snapshot().backends[0]!.load, 0)
})
