import t from 'tap'
import { httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { startBalancer } from '../support/balancer.ts'
import { until } from '../support/until.ts'

/** Answers its path and no other. */
const answering =
  (path: string) => (request: { url?: string }, response: { statusCode: number; end(): void }) => {
    response.statusCode = request.url === path ? 200 : 404
    response.end()
  }

t.test('each backend is asked in its own way, one on another port, one not at all', async (t) => {
  const plain = await httpBackend(t, answering('/up'))
  const own = await httpBackend(t, answering('/own'))
  const chat = await wsBackend(t)
  const silent = await rawBackend(t)
  const admin = await httpBackend(t, answering('/up'))
  const dead = await rawBackend(t, ({ socket }) => socket.resetAndDestroy())
  const { balancer } = await startBalancer(t, {
    health: { path: '/up', interval: '1s', debounce: 0, timeout: '60s' },
    backends: [
      { id: 'plain', url: plain.url },
      { id: 'own', url: own.url, health: { path: '/own' } },
      { id: 'chat', url: chat.url, health: { probe: 'websocket', ping: true } },
      { id: 'silent', url: silent.url, health: { probe: 'tcp' } },
      { id: 'aside', url: 'http://127.0.0.1:1', health: { port: admin.port } },
      { id: 'never', url: 'http://127.0.0.1:1', health: false },
      { id: 'dead', url: dead.url },
    ],
  })
  const of = (id: string) => balancer.snapshot().backends.find((backend) => backend.id === id)!
  await until(() => of('dead').health === 'down', 'the dead one to be down')
  const watched = ['plain', 'own', 'chat', 'silent', 'aside']
  await until(() => watched.every((id) => of(id).lastProbe !== null), 'every one to be asked')
  for (const id of watched) t.match(of(id), { health: 'up', lastProbe: { failure: null } }, id)
  t.match(of('never'), { health: 'up', lastProbe: null })
  t.match(of('dead'), { trouble: /reset/i, lastProbe: { failure: /reset/i } })
  t.ok(Math.abs(Date.now() - of('dead').since) < 30_000)
})

t.test(
  'a reload with the same of its own keeps its state; another one counts without a new beginning',
  async (t) => {
    const backend = await httpBackend(t, answering('/new'))
    const expect = () => (status: number) => status === 200
    const config = (path: string) => ({
      health: { interval: '1s', debounce: 0 } as const,
      backends: [{ id: 'a', url: backend.url, health: { path, expect: expect() } }],
    })
    const { balancer, next } = await startBalancer(t, config('/old'))
    const told: string[] = []
    t.match(await next('backend:down'), { reason: /answered 404/ })
    balancer.on('backend:suspect', () => told.push('suspect'))
    balancer.on('backend:down', () => told.push('down'))
    const { since } = balancer.snapshot().backends[0]!

    t.match(await balancer.reload(config('/old')), { changed: [], kept: ['a'] })
    t.match(balancer.snapshot().backends[0], { health: 'down', since })
    const up = next('backend:up')
    t.match(await balancer.reload(config('/new')), { changed: ['a'], kept: [] })
    t.match(balancer.snapshot().backends[0], { health: 'down', since })
    t.match(await up, { backend: 'a', reason: /answered 404/ })
    t.same(told, [])

    t.match(
      await balancer.reload({ ...config(''), backends: [{ id: 'a', url: backend.url, health: false }] }),
      {
        changed: ['a'],
      },
    )
    t.match(balancer.snapshot().backends[0], { health: 'up' })
  },
)
