import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import t from 'tap'
import { type Config, ConfigError, createBalancer } from '../../lib/index.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, rawClient, textOf, upgradeHead, wsClient } from '../support/clients.ts'
import { greeting, mirror } from '../support/embedding.ts'
import { NODE_ARGS, runnable } from '../support/tree.ts'
import { until } from '../support/until.ts'

t.test('createBalancer validates, and opens nothing: a process ends by itself', async (t) => {
  t.throws(() => createBalancer({ backends: ['nonsense'], attempts: -1 }), ConfigError)
  const lib = runnable('lib/index.ts').href
  const script = `
    import { createBalancer } from ${JSON.stringify(lib)}
    const state = () => [process.eventNames(), process.getActiveResourcesInfo()].join()
    const before = state()
    const balancer = createBalancer({ listen: 0, backends: ['http://127.0.0.1:9'], hooks: {} })
    const after = state()
    process.stdout.write(before === after ? 'nothing' : before + ' became ' + after)
  `
  const args = [...NODE_ARGS, '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 })
  const [output, [code]] = await Promise.all([
    textOf(child.stdout),
    once(child, 'close') as Promise<[number]>,
  ])
  t.equal(code, 0)
  t.equal(output, 'nothing', 'no signal handler, no timer, no socket')
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

t.test('an async listener that rejects is told in the log, and crashes nothing', async (t) => {
  const logged: unknown[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (...line: unknown[]) => void logged.push(line) }
  const unhandled: unknown[] = []
  const onUnhandled = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', onUnhandled)
  t.teardown(() => process.off('unhandledRejection', onUnhandled))
  const { balancer, url } = await startBalancer(t, { backends: [(await mirror(t)).url] }, { logger })
  const tooMuch = (): unknown => Promise.resolve().then(() => Promise.reject(new Error('too much')))
  balancer.on('request:done', tooMuch)
  balancer.once('request:done', tooMuch)
  for (let round = 0; round < 2; round++) t.equal((await ask(url)).status, 200)
  await until(() => logged.length === 3, 'the log lines')
  await new Promise((resolve) => setImmediate(resolve))
  t.match(JSON.stringify(logged), /request:done/)
  t.same(unhandled, [])
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
