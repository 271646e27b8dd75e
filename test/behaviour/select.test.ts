import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { type Candidate, type SelectContext, type SelectHook } from '../../lib/proxy/hooks.ts'
import { startBalancer } from '../support/balancer.ts'
import { deadUrl } from '../support/backends.ts'
import { ask, rawClient, upgradeHead } from '../support/clients.ts'
import { greetingOf, namedBackends } from '../support/named.ts'

const wanted: SelectHook = ({ headers }) => (headers['x-want'] as string | undefined) ?? undefined

t.test('the hook decides for requests and upgrades; without a word of it all is as usual', async (t) => {
  const hooks: Record<string, SelectHook> = {
    'by id': wanted,
    'by candidate': ({ headers }, candidates) => candidates.find(({ id }) => id === headers['x-want']),
    later: async (request, candidates, context) => wanted(request, candidates, context),
  }
  for (const [name, select] of Object.entries(hooks)) {
    const backends = await namedBackends(t, 'a', 'b', 'c')
    const { url } = await startBalancer(t, { backends, hooks: { select } })
    const headers = { 'x-want': 'c' }
    t.equal((await ask(url, { headers })).body, 'c', name)
    t.equal(await greetingOf(url, headers), 'c', name)
    t.equal((await ask(url)).body, 'a', 'in order')
    t.equal(await greetingOf(url), 'a')
  }
})

t.test('it sees who can be given the request, and whose the client is', async (t) => {
  const backends = await namedBackends(t, 'a', 'b', 'c', 'd')
  const seen: { candidates: readonly Candidate[]; context: SelectContext }[] = []
  const select: SelectHook = (_request, candidates, context) => void seen.push({ candidates, context })
  const { url, balancer } = await startBalancer(t, {
    backends: backends.map((backend, index) => ({
      ...backend,
      weight: index === 1 ? 0 : 1,
      backup: index === 0,
    })),
    hooks: { select },
  })
  const first = await ask(url)
  t.equal(first.body, 'c')
  t.strictSame(
    seen[0]!.candidates.map(({ id }) => id),
    ['c', 'd', 'a', 'b'],
    'the best first, then the backup, then the one of weight 0',
  )
  t.throws(() => (seen[0]!.candidates as Candidate[]).sort(), TypeError, 'it is frozen')
  t.match(seen[0]!.candidates[0], { id: 'c', load: 0, tunnels: 0, weight: 1, health: 'up', url: URL })
  t.equal(seen[0]!.context.pool, 'default')
  t.equal(seen[0]!.context.owner, undefined)
  t.equal(seen[0]!.context.balancer, balancer)
  const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
  void balancer.drain('d')
  await ask(url, { headers: { cookie } })
  t.equal(seen[1]!.context.owner?.id, 'c')
  t.strictSame(
    seen[1]!.candidates.map(({ id }) => id),
    ['c', 'a', 'b'],
  )
})

t.test('the cookie is set to the one the hook has chosen', async (t) => {
  const backends = await namedBackends(t, 'a', 'b')
  const { url } = await startBalancer(t, { backends, hooks: { select: wanted } })
  const cookieOf = (answer: { headers: { 'set-cookie'?: string[] } }) =>
    answer.headers['set-cookie']?.[0]?.split(';')[0] ?? ''
  const cookie = cookieOf(await ask(url))
  const moved = await ask(url, { headers: { cookie, 'x-want': 'b' } })
  t.equal(moved.body, 'b')
  t.not(cookieOf(moved), '', 'it belongs to another from now on')
  const again = await ask(url, { headers: { cookie: cookieOf(moved) } })
  t.equal(again.body, 'b')
  t.equal(cookieOf(again), '')
})

const misbehaving: Record<string, [select: SelectHook, status: number, code: string]> = {
  throws: [
    () => {
      throw new Error('secret')
    },
    500,
    'WSLB_HOOK_FAILED',
  ],
  rejects: [() => Promise.reject(new Error('secret')), 500, 'WSLB_HOOK_FAILED'],
  'throws its own status': [
    () => Promise.reject(Object.assign(new Error('too many'), { status: 429 })),
    429,
    'WSLB_REFUSED',
  ],
  'never settles': [() => new Promise(() => {}), 504, 'WSLB_HOOK_TIMEOUT'],
  'returns an unknown id': [() => 'secret', 500, 'WSLB_HOOK_FAILED'],
  'returns null': [() => null as never, 500, 'WSLB_HOOK_FAILED'],
  'returns a copy of a candidate': [(_request, [first]) => ({ ...first! }), 500, 'WSLB_HOOK_FAILED'],
  'returns one that is draining': [() => 'out', 500, 'WSLB_HOOK_FAILED'],
}

for (const [name, [select, status, code]] of Object.entries(misbehaving)) {
  t.test(`a hook that ${name}: ${status} for the request and for the upgrade`, async (t) => {
    const { url, port, balancer, next } = await startBalancer(t, {
      backends: await namedBackends(t, 'a', 'out'),
      hooks: { select },
      timeouts: { hook: '2s' },
    })
    await balancer.drain('out')
    const done = next('request:done')
    const answer = await ask(url)
    t.equal(answer.status, status)
    t.match(answer.body, code)
    t.notMatch(answer.body, 'secret')
    t.match((await done).error?.message, /hooks\.select|too many/)
    const client = await rawClient(t, port)
    client.send(upgradeHead())
    await client.closed
    t.match(client.received, `HTTP/1.1 ${status} `)
    t.match(client.received, code)
    t.match(balancer.snapshot().backends, [{ requests: 0, upgrades: 0, failures: 0, load: 0 }, {}])
  })
}

t.test('when its choice fails it is asked again, with fewer candidates', async (t) => {
  const [good] = await namedBackends(t, 'good')
  const asked: string[][] = []
  const { url } = await startBalancer(t, {
    backends: [{ id: 'dead', url: await deadUrl() }, { id: 'dead2', url: await deadUrl() }, good!],
    hooks: { select: async (_request, all) => (asked.push(all.map(({ id }) => id)), all[0]) },
  })
  t.equal((await ask(url)).body, 'good')
  t.strictSame(asked.splice(0), [['dead', 'dead2', 'good'], ['dead2', 'good'], ['good']])
  t.equal(await greetingOf(url), 'good')
  t.equal(asked.length, 3)
})

t.test('with nobody to choose from it is not asked: 503', async (t) => {
  const { url } = await startBalancer(t, { backends: [], hooks: { select: () => t.fail('asked') as never } })
  t.equal((await ask(url)).status, 503)
})

t.test('a backend that leaves service while the hook thinks is not given to anybody', async (t) => {
  let think: (() => void) | undefined
  const choices = ['a', 'b']
  const { url, balancer } = await startBalancer(t, {
    backends: await namedBackends(t, 'a', 'b'),
    hooks: {
      select: async () => {
        const choice = choices.shift()
        if (choice === 'a') await new Promise<void>((resolve) => (think = resolve))
        return choice
      },
    },
  })
  const answer = ask(url)
  await t.resolves(
    (async () => {
      while (!think) await new Promise(setImmediate)
    })(),
  )
  await balancer.drain('a')
  think!()
  t.equal((await answer).body, 'b', 'it was asked again')
})

t.test('two requests that are decided at once do not both get the last place', async (t) => {
  const [a, b] = await namedBackends(t, 'a', 'b')
  const decided: (() => void)[] = []
  const { url } = await startBalancer(t, {
    backends: [{ ...a!, maxConnections: 1 }, b!],
    hooks: {
      select: async (_request, all) => {
        if (decided.length < 2)
          await new Promise<void>((resolve) => {
            decided.push(resolve)
            if (decided.length === 2) for (const resolve of decided) resolve()
          })
        return all[0]
      },
    },
  })
  const answers = await Promise.all([ask(url), ask(url)])
  t.strictSame(answers.map(({ body }) => body).sort(), ['a', 'b'])
})

t.test('a client that leaves aborts the signal, and no lease is left', async (t) => {
  let told: (() => void) | undefined
  const { port, balancer } = await startBalancer(t, {
    backends: await namedBackends(t, 'a'),
    hooks: {
      select: (_request, _all, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => (told?.(), resolve('a')))
          asked?.()
        }),
    },
  })
  let asked: (() => void) | undefined
  for (const head of ['GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', upgradeHead()]) {
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const isTold = new Promise<void>((resolve) => (told = resolve))
    const client = await rawClient(t, port)
    client.send(head)
    await isAsked
    client.reset()
    await isTold
  }
  t.match(balancer.snapshot().backends, [{ requests: 0, upgrades: 0, load: 0 }])
})

t.test('a route has the hook of its own, or that of all, or none', async (t) => {
  const { url } = await startBalancer(t, {
    backends: await namedBackends(t, 'a', 'b', 'c'),
    hooks: { select: () => 'b' },
    routes: [
      { path: '/own', pool: 'default', hooks: { select: () => 'c' } },
      { path: '/none', pool: 'default', hooks: { select: false } },
      { pool: 'default' },
    ],
  })
  t.equal((await ask(`${url}/own`)).body, 'c')
  t.equal((await ask(`${url}/none`)).body, 'a')
  t.equal((await ask(`${url}/`)).body, 'b')
})

t.test('pick() asks the hook too, but cannot wait for it', async (t) => {
  let select: SelectHook = () => 'b'
  const { balancer } = await startBalancer(t, {
    backends: await namedBackends(t, 'a', 'b'),
    hooks: { select: (...all) => select(...all) },
  })
  const message = new IncomingMessage(new Socket())
  message.url = '/'
  const choice = balancer.pick(message)
  t.equal(choice.backend.id, 'b')
  choice.release()
  select = () => Promise.reject(new Error('nobody waits for this'))
  t.throws(() => balancer.pick(message), {
    code: 'WSLB_HOOK_FAILED',
    message: /promise.*pick\(\) cannot wait/,
  })
  select = () => 'c'
  t.throws(() => balancer.pick(message), { code: 'WSLB_HOOK_FAILED', message: /'c'.*candidates: a, b/ })
})
