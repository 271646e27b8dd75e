import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Attempted } from '../../lib/core/attempted.ts'
import { systemClock } from '../../lib/core/clock.ts'
import { type Balancer } from '../../lib/balancer.ts'
import { startBalancer } from '../support/balancer.ts'
import { ROOT } from '../support/tree.ts'
import { until } from '../support/until.ts'
import { Child } from './child.ts'
import { type FaultServer } from './fault-server.ts'
import { LONG_PATIENCE, PATIENCE } from './patience.ts'
import { type Lap, type Sight, type Traffic } from './traffic.ts'

// What clients see when backends fail under load: the table of docs/failover.md.

t.setTimeout(LONG_PATIENCE)

const RATES = { GET: 30, POST: 10, upgrade: 30 }
const STAYERS = 60
const NAMES = ['red', 'blue', 'green']

/** A backend in a process of its own that comes back on the same port. */
class Victim {
  readonly #t: Test
  readonly #name: string
  #child: Child<FaultServer>
  #port = 0

  constructor(t: Test, name: string) {
    this.#t = t
    this.#name = name
    this.#child = new Child<FaultServer>(t, 'fault-server.ts')
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start(): Promise<void> {
    ;({ port: this.#port } = await this.#child.ask('start', { name: this.#name, port: this.#port }))
  }

  kill(): Promise<void> {
    return this.#child.kill()
  }

  restart(): Promise<void> {
    this.#child = new Child<FaultServer>(this.#t, 'fault-server.ts')
    return this.start()
  }

  async signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    process.kill(this.#child.pid, signal)
  }

  slow(milliseconds: number): Promise<void> {
    return this.#child.ask('slow', milliseconds)
  }

  refuse(): Promise<void> {
    return this.#child.ask('refuse')
  }

  accept(): Promise<void> {
    return this.#child.ask('accept', this.#port)
  }
}

interface Fault {
  readonly name: string
  /** How many backends it strikes. */
  readonly count: number
  /** It is not used again soon. */
  readonly flaps?: boolean
  readonly begin: (victim: Victim) => Promise<void>
  readonly end: (victim: Victim) => Promise<void>
}

/** Milliseconds that a fault lasts, and that all is well between two of them. */
const LASTS = 4_000
const CALM = 1_000

const FAULTS: readonly Fault[] = [
  { name: 'killed (`kill -9`)', count: 1, begin: (one) => one.kill(), end: (one) => one.restart() },
  {
    name: 'hangs (`SIGSTOP`)',
    count: 1,
    begin: (one) => one.signal('SIGSTOP'),
    end: (one) => one.signal('SIGCONT'),
  },
  { name: 'answers 3 s late', count: 1, begin: (one) => one.slow(3_000), end: (one) => one.slow(0) },
  { name: 'two of three killed', count: 2, begin: (one) => one.kill(), end: (one) => one.restart() },
  {
    name: 'comes and goes, every second',
    count: 1,
    flaps: true,
    begin: async (one) => {
      for (let i = 0; i < 3; i++) {
        await one.refuse()
        await sleep(1_000)
        await one.accept()
        await sleep(1_000)
      }
      await one.refuse()
    },
    end: (one) => one.accept(),
  },
]

/** What was told of each backend, in milliseconds since 1970. */
function transitions(balancer: Balancer) {
  const seen: { readonly backend: string; readonly what: string; readonly at: number }[] = []
  for (const what of ['suspect', 'down', 'up', 'ejected'] as const) {
    balancer.on(`backend:${what}`, ({ backend }) => seen.push({ backend, what, at: Date.now() }))
  }
  return seen
}

function isWell(balancer: Balancer): () => boolean {
  return () => balancer.snapshot().backends.every(({ health }) => health === 'up')
}

t.test('what was safe to repeat never fails', { timeout: LONG_PATIENCE }, async (t) => {
  const victims = NAMES.map((name) => new Victim(t, name))
  const spare = new Victim(t, 'spare')
  await Promise.all([...victims, spare].map((victim) => victim.start()))
  const { balancer, url } = await startBalancer(
    t,
    {
      backends: [
        ...victims.map((victim, i) => ({ id: NAMES[i]!, url: victim.url })),
        { id: 'spare', url: spare.url, backup: true },
      ],
      balance: 'p2c',
      sticky: false,
      health: { interval: '500ms', timeout: '1s', debounce: '1s' },
      websocket: { handshakeTimeout: '2s' },
      timeouts: { connect: '1s' },
    },
    { clock: systemClock },
  )
  /** Of every request and upgrade. */
  const served: { readonly at: number; readonly retries: number }[] = []
  const note = ({ retries }: Attempted) => served.push({ at: Date.now(), retries: retries.length })
  for (const name of ['request:done', 'tunnel:open', 'upgrade:reject'] as const) balancer.on(name, note)
  const servedSince = (time: number) => served.filter(({ at }) => at >= time)
  const seen = transitions(balancer)
  /** Each fault is judged by itself: whoever restores a backend forgives what it did before. */
  const recover = async () => {
    balancer.restore('*')
    await until(isWell(balancer), 'all of them to be up', PATIENCE)
    await traffic.ask('allStay', STAYERS)
  }
  const traffic = new Child<Traffic>(t, 'traffic.ts')
  await traffic.ask('begin', { url, rates: RATES, stayers: STAYERS })
  await sleep(CALM)
  const calm = await traffic.ask('lap')
  t.strictSame(failures(calm), [], 'all is well before')

  const rows: Row[] = []
  for (const { name, count, flaps, begin, end } of FAULTS) {
    const struck = victims.slice(0, count)
    await recover()
    await traffic.ask('lap')
    seen.length = 0
    const begunAt = Date.now()
    await Promise.all(struck.map(begin))
    await sleep(Math.max(0, begunAt + LASTS - Date.now()))
    const endedAt = Date.now()
    await Promise.all(struck.map(end))
    if (!flaps) await until(isWell(balancer), 'all of them to be up again', PATIENCE)
    await sleep(CALM)
    const lap = await traffic.ask('lap')
    const retries = sum(servedSince(begunAt).map(({ retries }) => retries))
    const row = { name, retries, ...told(lap, { begunAt, endedAt, struck: NAMES.slice(0, count) }, seen) }
    rows.push(row)

    t.strictSame(row.lost, [], `${name}: no GET and no handshake has failed`)
    t.ok(row.transitions <= 6 * count, `${name}: ${row.transitions} changes of health`)
    t.ok(row.slowest < 4_000 + lap.stall, `${name}: the slowest answer took ${row.slowest} ms`)
    if (flaps) t.equal(row.usedAfter, undefined, `${name}: it has to prove itself first`)
  }

  await recover()
  const all = [...victims, spare]
  const outageAt = Date.now()
  await Promise.all(all.map((victim) => victim.refuse()))
  await sleep(LASTS)
  const struck = servedSince(outageAt).map(({ retries }) => retries)
  await Promise.all(all.map((victim) => victim.accept()))
  await recover()
  const { sights, stall } = await traffic.ask('lap')
  const slowest = Math.max(...sights.map(({ took }) => took))
  t.ok(slowest < 1_000 + stall, `with none left everybody is told so, after ${Math.round(slowest)} ms`)
  // The budget: half of the requests within its window of ten seconds, and ten a second.
  const allowed = servedSince(outageAt - 10_000).length / 2 + 100
  const repeated = sum(struck)
  t.ok(repeated <= allowed, `with none left: ${repeated} retries for ${struck.length} requests`)
  await traffic.ask('stop')
  t.ok(sum(rows.map(({ retries }) => retries)) > 0, 'requests did come to backends that failed')
  for (const row of rows) t.comment(markdown(row))
  documented(t, rows)
})

interface Row {
  readonly name: string
  readonly retries: number
  /** GETs and handshakes. */
  readonly safe: number
  readonly lost: readonly string[]
  readonly posts: number
  readonly lostPosts: readonly string[]
  /** WebSockets that had their `101`. */
  readonly cut: readonly string[]
  readonly avoidedAfter: number | undefined
  readonly usedAfter: number | undefined
  readonly slowest: number
  readonly transitions: number
}

function told(
  { sights, closes }: Lap,
  { begunAt, endedAt, struck }: { begunAt: number; endedAt: number; struck: readonly string[] },
  seen: ReturnType<typeof transitions>,
): Omit<Row, 'name' | 'retries'> {
  const safe = sights.filter(({ kind }) => kind !== 'POST')
  const posts = sights.filter(({ kind }) => kind === 'POST')
  const changes = seen.filter(({ backend }) => struck.includes(backend))
  const firstUse = sights
    .filter(({ backend = '', at }) => struck.includes(backend) && at > endedAt)
    .map(({ at }) => at - endedAt)
  // Tunnels that die soon after their 101 have it ejected before a probe has failed.
  const avoided = changes.find(({ what }) => what === 'suspect' || what === 'ejected')
  return {
    safe: safe.length,
    lost: failed(safe.filter(({ opened }) => !opened)),
    posts: posts.length,
    lostPosts: failed(posts),
    cut: [...closes, ...failed(safe.filter(({ opened }) => opened))],
    avoidedAfter: avoided && avoided.at - begunAt,
    usedAfter: firstUse.length > 0 ? Math.min(...firstUse) : undefined,
    slowest: Math.round(Math.max(...safe.map(({ took }) => took))),
    transitions: changes.length,
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function failures({ sights, closes }: Lap): string[] {
  return [...failed(sights), ...closes]
}

function failed(sights: readonly Sight[]): string[] {
  return sights.flatMap(({ kind, failure }) => (failure === undefined ? [] : `${kind}: ${failure}`))
}

function markdown(row: Row): string {
  const cells = [
    row.name,
    `${row.lost.length} of ${row.safe}`,
    `${row.lostPosts.length} of ${row.posts}`,
    counted(row.cut),
    `${row.retries}`,
    seconds(row.avoidedAfter),
    seconds(row.usedAfter),
    seconds(row.slowest),
  ]
  return `| ${cells.join(' | ')} |`
}

function counted(all: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1)
  return [...counts].map(([what, count]) => `${count} × ${what}`).join(', ') || 'none'
}

function seconds(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '–' : `${(milliseconds / 1_000).toFixed(1)} s`
}

/** The page has each fault, and says of each that nothing was lost that need not be. */
function documented(t: Test, rows: readonly Row[]): void {
  const page = readFileSync(new URL('docs/failover.md', ROOT), 'utf8')
  for (const { name } of rows) {
    const line = page.split('\n').find((line) => line.includes(name))
    t.match(line, /\| 0 of [\d,]+ +\|/, `docs/failover.md has "${name}"`)
  }
}
