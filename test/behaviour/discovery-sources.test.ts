import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BackendSource, dns, file, redis } from '../../lib/index.ts'
import { type Registration, registerBackend } from '../../lib/register.ts'
import { type TestBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, wsClient } from '../support/clients.ts'
import { DnsServer } from '../support/dns-server.ts'
import { startRedis } from '../support/redis-server.ts'
import { base, close, named, said } from '../support/reload.ts'
import { until } from '../support/until.ts'

interface World {
  readonly source: BackendSource
  readonly set: (backends: readonly TestBackend[]) => Promise<void> | void
}

const worlds: Record<string, (t: Test) => Promise<World> | World> = {
  'a function': () => {
    let list: string[] = []
    return { source: async () => list, set: (backends) => void (list = backends.map(({ url }) => url)) }
  },
  dns: async (t) => {
    const server = await DnsServer.start(t)
    const service = '_ws._tcp.chat.test'
    server.zone.set('chat.test', [{ type: 'A', data: '127.0.0.1', ttl: 1 }])
    const set: World['set'] = (backends) => {
      const records = backends.map(({ port }) => ({ type: 'SRV' as const, data: `1 1 ${port} chat.test` }))
      server.zone.set(service, records)
    }
    return { source: dns.srv(service, { servers: [server.address] }), set }
  },
  file: (t) => {
    const path = join(t.testdir({}), 'backends.json')
    const set: World['set'] = (backends) => {
      writeFileSync(`${path}.new`, JSON.stringify(backends.map(({ url }) => url)))
      renameSync(`${path}.new`, path)
    }
    return { source: file(path), set }
  },
  redis: async (t) => {
    const server = await startRedis(t)
    const registrations = new Map<TestBackend, Registration>()
    t.teardown(() => Promise.all([...registrations.values()].map((one) => one.unregister())))
    const set: World['set'] = async (backends) => {
      for (const backend of backends) {
        if (registrations.has(backend)) continue
        registrations.set(backend, registerBackend({ redis: server.url, url: backend.url }))
      }
      for (const [backend, registration] of registrations) {
        if (backends.includes(backend)) continue
        registrations.delete(backend)
        await registration.unregister()
      }
    }
    return { source: redis({ url: server.url }), set }
  },
}

for (const [name, make] of Object.entries(worlds)) {
  t.test(`scale-out and scale-in by ${name}`, async (t) => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((id) => named(t, id)))
    const { source, set } = await make(t)
    await set([a!, b!])
    const { balancer, url } = await startBalancer(t, {
      ...base,
      backends: source,
      discovery: { removeAfter: '1s' },
      drain: { over: 0 },
    })
    const has = (...backends: TestBackend[]) => {
      const ports = () => balancer.snapshot().backends.map((one) => Number(new URL(one.url).port))
      const wanted = backends.map(({ port }) => port).sort()
      return until(() => String(ports().sort()) === String(wanted), `the backends of ${name}`)
    }
    await has(a!, b!)
    const clients = await Promise.all([1, 2, 3, 4].map(() => wsClient(t, url)))
    const codes: number[] = []
    for (const client of clients) client.on('close', (code: number) => codes.push(code))

    await set([a!, b!, c!])
    await has(a!, b!, c!)
    const answers = new Set<string>()
    for (let turn = 0; turn < 6; turn++) answers.add((await ask(url)).body)
    t.same([...answers].sort(), ['a', 'b', 'c'])
    t.same(codes, [], 'nobody has noticed')

    await set([a!, c!])
    await has(a!, c!)
    await until(() => codes.length === 2, 'the clients of the one that left to be closed')
    t.same(codes, [1012, 1012])
    const stayed = clients.filter(({ readyState }) => readyState === 1)
    for (const client of stayed) t.equal(await said(client, 'still here'), 'still here')
    t.equal(balancer.snapshot().pools[0]!.source!.problem, null)
    await Promise.all(stayed.map(close))
  })
}
