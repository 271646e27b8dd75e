import http from 'node:http'
import { type Balancer } from '../../lib/balancer.ts'
import { type Config } from '../../lib/config/config.ts'
import { systemClock } from '../../lib/core/clock.ts'
import { type Scope, startBalancer } from '../support/balancer.ts'
import { seededRandom } from '../support/random.ts'
import { until } from '../support/until.ts'
import { Ledger } from './ledger.ts'

/** One of the three servers behind the balancer. */
export interface Server {
  readonly id: string
  readonly url: string
}

export interface Trio<S extends Server> {
  readonly servers: readonly S[]
  readonly balancer: Balancer
  readonly port: number
  readonly url: string
  /** For what clients meet with. */
  readonly ledger: Ledger
  /**
   * What the balancer has answered with 400 and above, e.g. `404 POST /echo/1/x/xhr_send on red`: who comes to a server
   * that does not know its session is in here, even where its client hides it by trying again.
   */
  readonly refused: string[]
  /** Loads the config anew, as a changed `lb.config.ts` does: every strategy in it is a new object. */
  reload(): Promise<void>
}

const NAMES = ['red', 'blue', 'green']

/**
 * Three servers behind a balancer whose clients keep no cookies: that none of them sends one is checked at the end.
 * @param serve starts a server; say it with `t`, not with the test around it
 * @param config makes the rest of the config; called once for each load
 */
export async function trio<S extends Server>(
  t: Scope,
  serve: (t: Scope, id: string) => Promise<S>,
  config: () => Config = () => ({}),
): Promise<Trio<S>> {
  const servers: S[] = []
  for (const name of NAMES) servers.push(await serve(t, name))
  const backends = servers.map(({ id, url }) => ({ id, url }))
  // `fetch` keeps an idle connection for as long as it is told to.
  const timeouts = { keepAlive: '5s' as const }
  const load = (): Config => ({ backends, balance: 'random', health: false, timeouts, ...config() })
  const started = await startBalancer(t, load(), { clock: systemClock, random: seededRandom(3) })
  const { balancer } = started
  withOwnConnections(t, balancer)
  const refused: string[] = []
  let withCookie = 0
  balancer.on('request:done', ({ request, status, backend }) => {
    if (request.headers.cookie !== undefined) withCookie++
    // 499: the client has left, as those that poll do when they close.
    if (status >= 400 && status !== 499)
      refused.push(`${status} ${request.method} ${request.url} on ${backend}`)
  })
  balancer.on('tunnel:open', ({ request }) => void (request.headers.cookie !== undefined && withCookie++))
  balancer.on('upgrade:reject', ({ request, status, backend }) => {
    if (status !== 499) refused.push(`${status} upgrade ${request.url} on ${backend}`)
  })
  t.teardown(() => {
    if (withCookie > 0) throw new Error(`${withCookie} requests had a cookie`)
  })
  return {
    ...started,
    servers,
    ledger: new Ledger(),
    refused,
    reload: async () => void (await balancer.reload({ listen: LISTEN, ...load() })),
  }
}

/** Connections that clients keep for later are closed when the test is over; `fetch` closes its own a second before
 * the balancer would. */
function withOwnConnections(t: Scope, balancer: Balancer): void {
  const before = http.globalAgent
  const agent = new http.Agent({ keepAlive: true })
  http.globalAgent = agent
  t.teardown(async () => {
    http.globalAgent = before
    agent.destroy()
    await until(() => balancer.snapshot().connections === 0, 'every client to have left', 15_000)
  })
}

/** What `startBalancer` listens on: a reload leaves it as it is. */
const LISTEN = { port: 0, host: '127.0.0.1' }

/** Opens that many clients, some of them at once. @returns them in order */
export async function crowd<C>(
  count: number,
  open: (index: number) => Promise<C>,
  atOnce = 20,
): Promise<C[]> {
  const clients: C[] = []
  const queue = Array.from({ length: count }, (_, index) => index).values()
  const worker = async () => {
    for (const index of queue) clients[index] = await open(index)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return clients
}

/** Of which servers how many: `{ red: 34, … }`. */
export function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
