import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type RequestListener, type Server, createServer, get } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import httpProxy from 'http-proxy'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { type Balancer, type Config, ConfigError, WslbError, createBalancer } from '../../lib/index.ts'
import { type TestBackend, deadUrl, httpBackend, wsBackend } from '../support/backends.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { makeCertificate } from '../support/certificate.ts'
import { ask, rawClient, textOf, upgradeHead, wsClient } from '../support/clients.ts'
import { until } from '../support/until.ts'

/** Says the path it was asked for, over HTTP and over WebSocket. */
async function mirror(t: Scope): Promise<TestBackend> {
  const backend = await wsBackend(t, () => {})
  backend.server.removeAllListeners('request')
  backend.server.on('request', (request, response) => {
    void textOf(request).then((body) => response.end(`${request.method} ${request.url} ${body}`))
  })
  const server = new WebSocketServer({ noServer: true })
  backend.server.removeAllListeners('upgrade')
  backend.server.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (client) => client.send(`backend ${request.url}`))
  })
  return backend
}

async function listen(t: Scope, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A balancer for `/chat` that opens no listener. */
async function chatOnly(t: Scope, more: Config = {}) {
  const backend = await mirror(t)
  const chat = { backends: [backend.url], health: false as const }
  const balancer = createBalancer({ pools: { chat }, routes: [{ path: '/chat/*', pool: 'chat' }], ...more })
  t.teardown(() => balancer.close())
  return { balancer, backend }
}

/** @returns the first message, which may come together with the 101 */
async function greeting(t: Scope, url: string): Promise<string> {
  const client = new WebSocket(url.replace(/^http/, 'ws'), { rejectUnauthorized: false })
  t.teardown(() => client.terminate())
  const [first] = (await once(client, 'message')) as [Buffer]
  client.close()
  await once(client, 'close')
  return String(first)
}

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
    balance: 'round-robin',
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
  const thrown: unknown[] = []
  const server = createServer((request, response) => {
    try {
      balancer.pick(request)
    } catch (error) {
      thrown.push(error)
    }
    response.end()
  })
  await ask(`http://${await listen(t, server)}/else`)
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

t.test('createBalancer validates, and opens nothing: a process ends by itself', async (t) => {
  t.throws(() => createBalancer({ backends: ['nonsense'], attempts: -1 }), ConfigError)
  const lib = new URL('../../lib/index.ts', import.meta.url).href
  const script = `
    import { createBalancer } from ${JSON.stringify(lib)}
    const before = process.eventNames().join()
    const balancer = createBalancer({ listen: 0, backends: ['http://127.0.0.1:9'], hooks: {} })
    const after = process.eventNames().join()
    process.stdout.write(JSON.stringify([before === after, process.getActiveResourcesInfo().filter((name) =>
      !/PipeWrap|FileHandle|TTY/.test(name))]))
  `
  const args = ['--import=tsx', '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 })
  const [output, [code]] = await Promise.all([
    textOf(child.stdout),
    once(child, 'close') as Promise<[number]>,
  ])
  t.equal(code, 0)
  t.same(JSON.parse(output), [true, []], 'no signal handler, no timer, no socket')
})

t.test('close is idempotent, and so is every other way to end', async (t) => {
  const backend = await mirror(t)
  const stop = new AbortController()
  const config: Config = { listen: { port: 0, host: '127.0.0.1' }, backends: [backend.url], health: false }
  const balancer = createBalancer(config, { signal: stop.signal })
  const [address] = await balancer.listen()
  const client = await wsClient(t, `http://127.0.0.1:${address!.port}`)
  const gone = once(client, 'close')
  stop.abort()
  await gone
  await Promise.all([balancer.close(), balancer.close({ drain: '1h' }), balancer[Symbol.asyncDispose]()])
  await t.rejects(ask(`http://127.0.0.1:${address!.port}`), { code: 'ECONNREFUSED' })
  await t.rejects(balancer.listen(), { code: 'WSLB_CLOSED' })
  t.same(balancer.snapshot().listeners, [])

  const late = createBalancer(config, { signal: stop.signal })
  await t.rejects(late.listen(), { code: 'WSLB_CLOSED' }, 'a signal that was aborted before counts too')
})

t.test('`await using` closes at the end of the block', async (t) => {
  const backend = await mirror(t)
  let port = 0
  {
    await using balancer = createBalancer({ listen: { port: 0, host: '127.0.0.1' }, backends: [backend.url] })
    port = (await balancer.listen())[0]!.port
    t.equal((await ask(`http://127.0.0.1:${port}`)).status, 200)
  }
  await t.rejects(ask(`http://127.0.0.1:${port}`), { code: 'ECONNREFUSED' })
})

t.test('a listener that throws harms neither the balancer nor other listeners', async (t) => {
  const logged: object[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => void logged.push(fields) }
  const { balancer, url } = await startBalancer(t, { backends: [(await mirror(t)).url] }, { logger })
  let heard = 0
  for (const name of ['request:done', 'tunnel:open', 'tunnel:close'] as const) {
    balancer.on(name, () => {
      throw new Error(`${name} is too much`)
    })
    balancer.on(name, () => heard++)
  }
  t.equal((await ask(url)).status, 200)
  t.equal(await greeting(t, url), 'backend /')
  await until(() => heard === 3, 'the other listeners to be called')
  t.equal(logged.length, 3, 'the errors are in the log')
})

t.test('what a hook puts into the context comes with every event of that request', async (t) => {
  const hook = async (request: { context: Record<string, unknown> }) => {
    await new Promise((resolve) => setImmediate(resolve))
    request.context.user = 'ada'
  }
  const hooks = { onRequest: hook, onUpgrade: hook }
  const { url, next } = await startBalancer(t, { backends: [(await mirror(t)).url], hooks })
  const events = [next('request:done'), next('tunnel:open'), next('tunnel:close')]
  await ask(url)
  await greeting(t, url)
  for (const event of await Promise.all(events)) t.same(event.request.context, { user: 'ada' })
})

t.test('a client that leaves while a hook runs: the hook hears of it, no backend does', async (t) => {
  const backend = await mirror(t)
  const aborted: string[] = []
  const started: string[] = []
  const hook = (request: { path: string }, { signal }: { signal: AbortSignal }) => {
    started.push(request.path)
    return new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        aborted.push(request.path)
        resolve()
      })
    })
  }
  const { url, port, next } = await startBalancer(t, {
    backends: [backend.url],
    hooks: { onRequest: hook, onUpgrade: hook },
    timeouts: { hook: '1h' },
  })
  const done = next('request:done')
  const request = get(`${url}/request`).on('error', () => {})
  await until(() => started.length === 1, 'the hook of the request')
  request.destroy()
  t.match(await done, { attempts: 0, error: { code: 'WSLB_CLIENT_GONE' } })

  const rejected = next('upgrade:reject')
  const client = await rawClient(t, port)
  client.send(upgradeHead({}, 'GET /upgrade HTTP/1.1'))
  await until(() => started.length === 2, 'the hook of the upgrade')
  client.reset()
  t.match(await rejected, { attempts: 0, error: { code: 'WSLB_CLIENT_GONE' } })
  t.same(aborted, ['/request', '/upgrade'])
  t.equal(backend.total, 0)
})
