import t from 'tap'
import { type Policy } from '../../lib/balancing/policy.ts'
import { type Config } from '../../lib/config/config.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { ask, rawClient, upgradeHead } from '../support/clients.ts'
import { chatOnly, thrownByPick } from '../support/embedding.ts'
import { plainBackend } from '../support/plain.ts'

// A policy or strategy of the user's that misbehaves: it is told, and no backend is blamed.

const nothing = { name: 'absent-minded', pick: () => undefined } as unknown as Policy
const policies: Record<string, Policy> = {
  'picks nothing': nothing,
  'picks a backend that is not in the pool': { name: 'absent-minded', pick: () => plainBackend('a') },
  throws: {
    name: 'absent-minded',
    pick: () => {
      throw new Error('absent-minded')
    },
  },
}
const splitting: StickyStrategy = {
  name: 'splitting',
  find: () => undefined,
  remember: () => ['a=b\r\nX-Injected: yes'],
}
/** Its rejection would end the process if nobody took it. */
const later = () => Promise.reject(new Error('later'))
const asynchronous: Record<string, Config> = {
  'a policy whose pick is async': { balance: { name: 'absent-minded', pick: later as never } },
  'a strategy whose find is async': { sticky: { name: 'absent-minded', find: later as never } },
  'a strategy whose remember is async': {
    sticky: { name: 'absent-minded', find: () => undefined, remember: later as never },
  },
  'a strategy whose failover is async': {
    sticky: { name: 'absent-minded', find: () => undefined, failover: later as never },
  },
  'a key that is async': { sticky: hashBy(later as never) },
}
const parts = [
  ...Object.entries(asynchronous),
  ...Object.entries(policies).map(([name, balance]) => [`a policy that ${name}`, { balance }] as const),
  ['a strategy whose cookie would split the response', { sticky: splitting }] as const,
]

for (const [name, part] of parts) {
  t.test(`${name}: 500 for the request and for the upgrade`, async (t) => {
    const backend = await wsBackend(t)
    const { url, port, balancer, next } = await startBalancer(t, { backends: [backend.url], ...part })
    const events = Promise.all([next('request:done'), next('upgrade:reject')])
    const { status, body, headers } = await ask(url)
    t.equal(status, 500)
    t.match(body, 'WSLB_INTERNAL')
    t.equal(headers['x-injected'], undefined)
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.closed
    t.match(client.received, /^HTTP\/1\.1 500 [^]*WSLB_INTERNAL/)
    t.notMatch(client.received, /x-injected/i)
    for (const { error } of await events) {
      t.match(error, { code: 'WSLB_INTERNAL', message: /absent-minded|Set-Cookie|a key returned a promise/ })
    }
    t.match(balancer.snapshot().backends[0], { failures: 0, load: 0, health: 'up' })
    t.equal(backend.total, 0, 'nothing was dialled')
  })
}

t.test('a policy that picks a backend that has just failed the request does not get it again', async (t) => {
  const [dead, live] = [await wsBackend(t), await wsBackend(t)]
  dead.server.removeAllListeners('request')
  dead.server.on('request', ({ socket }) => void socket.destroy())
  let first: Backend | undefined
  const stubborn: Policy = { name: 'stubborn', pick: (candidates) => (first ??= candidates[0]!) }
  const { url, balancer } = await startBalancer(t, { backends: [dead.url, live.url], balance: stubborn })
  t.equal((await ask(url)).status, 500)
  t.match(balancer.snapshot().backends, [
    { failures: 1, load: 0 },
    { failures: 0, load: 0 },
  ])
  t.same([dead.total, live.total], [1, 0])
})

t.test('pick throws what a policy has done', async (t) => {
  const backend = await wsBackend(t)
  const pools = { chat: { backends: [backend.url], health: false as const, balance: nothing } }
  const { balancer } = await chatOnly(t, { pools })
  const thrown = await thrownByPick(t, balancer, '/chat')
  t.match(thrown, [{ name: 'WslbError', code: 'WSLB_INTERNAL', message: /"absent-minded"/ }])
  t.equal(balancer.snapshot().backends[0]!.load, 0)
})
