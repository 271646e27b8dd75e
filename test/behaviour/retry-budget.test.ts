import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { type BalancerEvents } from '../../lib/core/events.ts'
import { startBalancer, inTurn } from '../support/balancer.ts'
import { deadUrl, httpBackend, rawBackend, wsBackend } from '../support/backends.ts'
import { ask, wsClient } from '../support/clients.ts'

// Trying again helps where one backend fails, and multiplies the load where all do.

async function inTurns(count: number, atOnce: number, work: () => Promise<unknown>): Promise<void> {
  let begun = 0
  const worker = async () => {
    while (begun++ < count) await work()
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

t.test('a total outage costs about 1 + share attempts a request, not as many as there are', async (t) => {
  const backends = await Promise.all([1, 2, 3, 4].map(() => deadUrl()))
  for (const share of [0.5, 0.2]) {
    const { balancer, url } = await startBalancer(t, {
      ...{ backends, attempts: 4 },
      retryBudget: { share, minPerSecond: 0 },
    })
    const requests: BalancerEvents['request:done'][] = []
    balancer.on('request:done', (event) => requests.push(event))
    await inTurns(1_000, 20, () => ask(url))
    const attempts = requests.reduce((sum, { attempts }) => sum + attempts, 0) / requests.length
    t.comment(`share ${share}: ${attempts} attempts a request`)
    t.ok(attempts <= 1 + share + 0.05 && attempts > 1 + share / 2, `${attempts} attempts a request`)
    const given = requests.filter(({ noRetry }) => noRetry === 'budget')
    t.ok(given.length > 300)
    t.ok(given.every(({ status, error }) => status === 502 && error?.code === 'WSLB_CONNECT_FAILED'))
    t.ok(requests.every(({ retries, attempts }) => retries.length === attempts - 1))
  }
})

t.test('without a budget each is tried as often as it may be', async (t) => {
  const backends = await Promise.all([1, 2, 3].map(() => deadUrl()))
  const { balancer, url } = await startBalancer(t, { backends, retryBudget: false })
  const attempts: number[] = []
  balancer.on('request:done', (event) => attempts.push(event.attempts))
  await inTurns(300, 20, () => ask(url))
  t.ok(attempts.every((count) => count === 3))
})

t.test('one of three is dead, and all of its clients come back at once: nobody is refused', async (t) => {
  const others = await Promise.all([wsBackend(t), wsBackend(t)])
  const urls = [await deadUrl(), ...others.map(({ url }) => url)]
  const { balancer, url } = await startBalancer(t, {
    backends: urls.map((url, index) => ({ id: `b${index}`, url })),
    // Everybody belongs to the dead one, and nothing is allowed but what comes of the requests themselves.
    sticky: { name: 'b0', find: (_request, backends) => backends.get('b0') },
    retryBudget: { minPerSecond: 0 },
  })
  const opened: BalancerEvents['tunnel:open'][] = []
  balancer.on('tunnel:open', (event) => opened.push(event))
  balancer.on('upgrade:reject', ({ status }) => t.fail(`refused with ${status}`))
  const clients = await Promise.all(Array.from({ length: 300 }, () => wsClient(t, url)))
  t.equal(opened.length, 300)
  t.same(opened[0]!.retries, [{ backend: 'b0', code: 'WSLB_CONNECT_FAILED' }])
  for (const client of clients) client.close()
})

t.test('one of three hangs: a handshake timeout later all of them are tried elsewhere', async (t) => {
  const hung = await rawBackend(t)
  const others = await Promise.all([wsBackend(t), wsBackend(t)])
  const { balancer, url } = await startBalancer(t, {
    backends: [hung.url, ...others.map(({ url }) => url)],
    balance: inTurn(),
    // Longer than the window: who came is forgotten when it is tried again.
    websocket: { handshakeTimeout: '20s' },
    retryBudget: { minPerSecond: 0 },
  })
  balancer.on('upgrade:reject', ({ status }) => t.fail(`refused with ${status}`))
  let retried = 0
  balancer.on('tunnel:open', ({ retries }) => (retried += retries.length))
  const clients = await Promise.all(Array.from({ length: 150 }, () => wsClient(t, url)))
  t.equal(retried, 50)
  for (const client of clients) client.close()
})

t.test('over budget the original failure is the answer, for an upgrade too', async (t) => {
  const { url, next } = await startBalancer(t, {
    backends: [await deadUrl(), await deadUrl(), await deadUrl()],
    retryBudget: { share: 0, minPerSecond: 0 },
  })
  const rejected = next('upgrade:reject')
  const client = new WebSocket(url.replace('http', 'ws'))
  const [error] = (await once(client, 'error')) as [Error]
  t.match(error.message, '502')
  t.match(await rejected, {
    attempts: 1,
    retries: [],
    noRetry: 'budget',
    error: { code: 'WSLB_CONNECT_FAILED' },
  })
})

t.test('events share one list of no retries', async (t) => {
  const { url } = await httpBackend(t, (_request, response) => response.end())
  const balancer = await startBalancer(t, { backends: [url] })
  const first = balancer.next('request:done')
  await ask(balancer.url)
  const second = balancer.next('request:done')
  await ask(balancer.url)
  t.equal((await first).retries, (await second).retries)
  t.match(await first, { retries: [], noRetry: undefined })
})
