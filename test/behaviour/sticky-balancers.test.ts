import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Config } from '../../lib/config/config.ts'
import { loadConfig } from '../../lib/config/load-config.ts'
import { clientIp } from '../../lib/core/request-key.ts'
import { stickyCookie } from '../../lib/sticky/cookie.ts'
import { hashBy } from '../../lib/sticky/hash-by.ts'
import { httpBackend } from '../support/backends.ts'
import { type Scope, startBalancer, inTurn } from '../support/balancer.ts'
import { ask } from '../support/clients.ts'
import { ROOT } from '../support/tree.ts'

/** Three servers that say their name; as Engine.IO does where it is asked for a session. */
async function startServers(t: Scope) {
  return Promise.all(
    ['red', 'blue', 'green'].map(async (id) => {
      let sessions = 0
      const backend = await httpBackend(t, ({ url = '' }, response) => {
        const opens = url.includes('EIO=4') && !url.includes('sid=')
        response.end(opens ? `0{"sid":"${id}${sessions++}"}` : id)
      })
      return { id, url: backend.url }
    }),
  )
}

t.test('a secret is changed with two balancers, and nobody is moved', async (t) => {
  const backends = await startServers(t)
  const balancer = (...secret: string[]) =>
    startBalancer(t, { backends, balance: inTurn(), sticky: stickyCookie({ secret }) })
  // In the order of a change: each pair is in service at the same time.
  const steps = [['old'], ['old', 'new'], ['new', 'old'], ['new']]
  for (const [index, before] of steps.slice(0, -1).entries()) {
    const [one, other] = [await balancer(...before), await balancer(...steps[index + 1]!)]
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      for (let i = 0; i < 3; i++) {
        const { body, headers } = await ask(from.url)
        const cookie = headers['set-cookie']![0]!.split(';')[0]!
        for (let again = 0; again < 3; again++)
          t.equal((await ask(to.url, { headers: { cookie } })).body, body, `${before.join()} and the next`)
      }
    }
  }
})

t.test(
  'two balancers, no cookies: the address of the client makes up for what only one has learned',
  async (t) => {
    const backends = await startServers(t)
    const config = (): Config => ({
      backends,
      balance: inTurn(),
      sticky: ['socket.io', hashBy(clientIp())],
      trustProxy: true,
    })
    const [one, other] = [await startBalancer(t, config()), await startBalancer(t, config())]
    t.strictSame(one.balancer.snapshot().pools[0]!.sticky, ['engine.io', 'cookie', 'hash-by'])
    const homes = new Set<string>()
    for (let client = 0; client < 30; client++) {
      const headers = { 'x-forwarded-for': `10.0.0.${client}` }
      const path = '/socket.io/?EIO=4&transport=polling'
      const { sid } = JSON.parse((await ask(one.url + path, { headers })).body.slice(1)) as { sid: string }
      const home = sid.replace(/\d/g, '')
      homes.add(home)
      t.equal((await ask(`${other.url}${path}&sid=${sid}`, { headers })).body, home)
      const elsewhere = { 'x-forwarded-for': '192.0.2.1' }
      t.equal(
        (await ask(`${one.url}${path}&sid=${sid}`, { headers: elsewhere })).body,
        home,
        'its address has changed',
      )
    }
    t.equal(homes.size, 3)
  },
)

t.test('the strategy in docs/stickiness.md does what the page says', async (t) => {
  const page = readFileSync(new URL('docs/stickiness.md', ROOT), 'utf8')
  const section = page.slice(page.indexOf('## A strategy of your own'))
  const [, code] = /```ts\n([\s\S]*?)```/.exec(section)!
  const config = await loadConfig(join(t.testdir({ 'lb.config.ts': code! }), 'lb.config.ts'))
  const { url } = await startBalancer(t, { ...config, backends: await startServers(t) })
  for (const id of ['blue', 'green', 'blue']) t.equal((await ask(`${url}/${id}/x`)).body, id)
  t.equal((await ask(`${url}/else`)).body, 'red', 'whoever it does not know is left to the policy')
})
