import { once } from 'node:events'
import { type ServerResponse } from 'node:http'
import { constants, gzipSync } from 'node:zlib'
import t from 'tap'
import { type Config } from '../../lib/config/config.ts'
import { learned } from '../../lib/sticky/learned.ts'
import { type LearnedRule } from '../../lib/sticky/learned-rule.ts'
import { type StickyStrategy } from '../../lib/sticky/strategy.ts'
import { httpBackend } from '../support/backends.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { ask, rawClient } from '../support/clients.ts'
import { LOCAL } from '../support/reload.ts'

/** `/login` hands out a session, which later requests have in `x-session`. */
const session = (more: Partial<LearnedRule> = {}): LearnedRule => ({
  name: 'session',
  id: ({ headers }) => headers['x-session'] as string | undefined,
  idFromAnswer: (body) => /<(\w+)>/.exec(body)?.[1],
  opens: ({ path }) => path === '/login',
  ...more,
})

/** @param login answers with a body that has the session `<name of the backend>` in it */
async function start(
  t: Scope,
  login: (response: ServerResponse, body: string) => unknown,
  sticky: StickyStrategy = learned(session()),
) {
  const backends = await Promise.all(
    ['red', 'blue', 'green'].map(async (id) => {
      const backend = await httpBackend(t, (request, response) =>
        request.url === '/login' ? void login(response, `hello <${id}>!`) : response.end(id),
      )
      return { id, url: backend.url }
    }),
  )
  const config: Config = { backends, balance: 'round-robin', sticky, health: false }
  const started = await startBalancer(t, config)
  const visit = async (id: string) => (await ask(started.url, { headers: { 'x-session': id } })).body
  return { ...started, config, visit }
}

/** Each of the three logs in, and is then asked for by its session. */
async function loginAndVisit({ url, visit }: Awaited<ReturnType<typeof start>>) {
  for (let i = 0; i < 3; i++) await ask(`${url}/login`)
  const homes: string[] = []
  for (const id of ['blue', 'green', 'red', 'blue', 'red', 'green']) homes.push(`${id} on ${await visit(id)}`)
  return homes
}

const AT_HOME = ['blue', 'green', 'red', 'blue', 'red', 'green'].map((id) => `${id} on ${id}`)

const LOGINS: Record<string, (response: ServerResponse, body: string) => unknown> = {
  'with a length': (response, body) => response.setHeader('Content-Length', body.length).end(body),
  'in chunks': (response, body) => {
    for (const character of body) response.write(character)
    response.end()
  },
  gzip: (response, body) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync(body)),
}

for (const [kind, login] of Object.entries(LOGINS)) {
  t.test(`a session is learned from an answer: ${kind}`, async (t) => {
    t.strictSame(await loginAndVisit(await start(t, login)), AT_HOME)
  })
}

t.test('it is learned before the client can have read it, and from an answer that never ends', async (t) => {
  const endings: Record<string, (response: ServerResponse, body: string) => unknown> = {
    plain: (response, body) => response.write(body),
    gzip: (response, body) => {
      response.setHeader('Content-Encoding', 'gzip')
      // In one piece: of a piece before it a client could not read the session either.
      response.write(gzipSync(body, { finishFlush: constants.Z_SYNC_FLUSH }))
    },
  }
  for (const [kind, login] of Object.entries(endings)) {
    const { port, balancer, visit } = await start(t, login)
    const client = await rawClient(t, port)
    client.send('GET /login HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(client.socket, 'data')
    await client.has(/\r\n\r\n./s)
    const home = balancer.snapshot().backends.find(({ load }) => load === 1)!.id
    for (let i = 0; i < 3; i++) t.equal(await visit(home), home, kind)
    client.reset()
  }
})

t.test('what was learned survives reloads, with the rule and the pool', async (t) => {
  const started = await start(t, (response, body) => response.end(body))
  const { balancer, config, visit } = started
  const reload = (more: Config = {}) =>
    balancer.reload({ listen: LOCAL, ...config, sticky: learned(session()), ...more })
  t.strictSame(await loginAndVisit(started), AT_HOME)
  await reload()
  await reload({ balance: 'random' })
  for (const id of ['green', 'green', 'red', 'blue']) t.equal(await visit(id), id)

  const [, ...others] = config.backends as { id: string; url: string }[]
  await reload({ backends: others })
  t.not(await visit('red'), 'red', 'a backend that has left is forgotten')
  await reload()
  t.equal(new Set([await visit('red'), await visit('red'), await visit('red')]).size, 3, 'and stays so')
  t.equal(await visit('blue'), 'blue')

  await reload({ sticky: false })
  await reload()
  t.equal(new Set([await visit('blue'), await visit('blue'), await visit('blue')]).size, 3, 'so does a rule')
})

t.test('an answer under way at a reload is learned', async (t) => {
  const answers: (() => void)[] = []
  const started = await start(t, (response, body) => answers.push(() => response.end(body)))
  const { url, balancer, config, visit } = started
  const logins = [1, 2, 3].map(() => ask(`${url}/login`))
  while (answers.length < 3) await new Promise(setImmediate)
  await balancer.reload({ listen: LOCAL, ...config, sticky: learned(session()) })
  for (const answer of answers) answer()
  await Promise.all(logins)
  for (const id of ['blue', 'blue', 'red', 'green']) t.equal(await visit(id), id)
})

t.test('the answer passes as it is, whatever a strategy does', async (t) => {
  const fail = () => {
    throw new Error('broken')
  }
  const nonsense: StickyStrategy[] = [
    { name: 'throws', find: () => undefined, observe: fail },
    { name: 'strange', find: () => undefined, observe: (() => 'yes') as never },
    { name: 'empty', find: () => undefined, observe: () => ({}) as never },
    { name: 'head', find: () => undefined, observe: () => ({ maxBody: 9, onHead: fail, onBody: fail }) },
    {
      name: 'body',
      find: () => undefined,
      observe: () => ({ maxBody: 9, onHead: () => true, onBody: fail }),
    },
    learned(session({ idFromAnswer: fail })),
    learned(session({ answers: fail })),
    learned(session({ opens: fail })),
    learned(session({ id: fail })),
  ]
  const page = `${'x'.repeat(100_000)} <x>`
  for (const strategy of nonsense) {
    const { url } = await start(t, (response) => response.setHeader('X-Own', '1').end(page), strategy)
    const { status, headers, body } = await ask(`${url}/login`)
    t.equal(status, 200, strategy.name)
    t.equal(headers['x-own'], '1')
    t.equal(body, page)
  }
})

t.test('a session in a long answer is found in its first 16 KiB', async (t) => {
  const far = await start(t, (response, body) => response.end('x'.repeat(20_000) + body))
  t.not((await loginAndVisit(far)).join(), AT_HOME.join())
  const near = await start(t, (response, body) => response.end(body + 'x'.repeat(200_000)))
  t.strictSame(await loginAndVisit(near), AT_HOME)
})

t.test('the pool tells the names of its strategies', async (t) => {
  const { balancer } = await start(t, (response) => response.end())
  t.strictSame(balancer.snapshot().pools[0]!.sticky, ['session'])
})
