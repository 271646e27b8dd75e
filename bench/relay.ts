// What joining nodes costs, beside plain pub/sub and the adapters of Socket.IO: npm run bench:relay [-- --quick]
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus, release } from 'node:os'
import { createClient } from 'redis'
import { RedisServer } from '../examples/support/redis-server.ts'
import { createRelay } from '../lib/relay/index.ts'
import { CONTENDERS } from './relay/contenders.ts'
import { type Order, type Report } from './relay/member.ts'
import { median } from './table.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 3
/** Messages as fast as it goes, and how many of them at the same time. */
const FLOOD = quick ? 4_000 : 40_000
const ABREAST = 512
/** Messages at so many a second. */
const PACED = quick ? 300 : 3_000
const RATE = 1_000
/** Subscriptions, and clients in a room, that are weighed. */
const CROWD = quick ? 2_000 : 20_000

class MemberProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(name: string, url: string): Promise<MemberProcess> {
    const file = new URL('relay/member.ts', import.meta.url)
    const child = fork(file, [name, url], { execArgv: ['--import=tsx'] })
    const member = new MemberProcess(child)
    await member.#report()
    return member
  }

  async order(order: Order): Promise<Report> {
    this.#child.send(order)
    return this.#report()
  }

  /** What comes next of itself. */
  report(): Promise<Report> {
    return this.#report()
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  async #report(): Promise<Report> {
    const ended = once(this.#child, 'exit').then(() => {
      throw new Error('a member ended')
    })
    return Promise.race([once(this.#child, 'message').then(([report]) => report as Report), ended])
  }
}

type Figures = Record<'flood' | 'cpu' | 'p50' | 'p99' | 'ack50' | 'ack99', number>

async function measure(name: string, url: string): Promise<Figures> {
  const [publisher, receiver] = [await MemberProcess.start(name, url), await MemberProcess.start(name, url)]
  try {
    const run = async (order: Order & { count: number }) => {
      await receiver.order({ do: 'receive', count: order.count })
      const began = Number(process.hrtime.bigint()) / 1e6
      const [arrived, sent] = await Promise.all([receiver.report(), publisher.order(order)])
      return { seconds: (arrived.at - began) / 1_000, arrived, sent }
    }
    await run({ do: 'flood', count: FLOOD / 8, abreast: ABREAST })
    const flood = await run({ do: 'flood', count: FLOOD, abreast: ABREAST })
    const paced = await run({ do: 'pace', count: PACED, rate: RATE })
    return {
      flood: FLOOD / flood.seconds,
      cpu: flood.sent.cpu! + flood.arrived.cpu!,
      p50: paced.arrived.p50!,
      p99: paced.arrived.p99!,
      ack50: paced.sent.p50!,
      ack99: paced.sent.p99!,
    }
  } finally {
    await Promise.all([publisher.stop(), receiver.stop()])
  }
}

async function usedMemory(url: string): Promise<number> {
  const client = createClient({ url })
  await client.connect()
  const info = await client.info('memory')
  client.destroy()
  return Number(/used_memory:(\d+)/.exec(info)?.[1])
}

/** Bytes of Redis for one subscription, and for one client that is known to be somewhere and in a room. */
async function bytesOfRedis(url: string): Promise<{ subscription: number; client: number }> {
  const relay = createRelay({ redis: { url } })
  await relay.ready()
  const empty = await usedMemory(url)
  const subscriptions = Array.from({ length: CROWD }, (_, n) => relay.subscribe(`room ${n}`, () => {}))
  await Promise.all(subscriptions.map(({ ready }) => ready))
  const subscribed = await usedMemory(url)
  const room = relay.presence('lobby')
  for (let n = 0; n < CROWD; n += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, k) => room.join(`client-${n + k}`)))
  }
  const present = await usedMemory(url)
  await relay.close()
  return { subscription: (subscribed - empty) / CROWD, client: (present - subscribed) / CROWD }
}

const master = await RedisServer.start()
const replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${master.port}`] })
try {
  console.log(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}\n`)
  console.log('| | msg/s | CPU µs | delivery p50 | p99 | publish() p50 | p99 |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  const figures = new Map(Object.keys(CONTENDERS).map((name) => [name, [] as Figures[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, runs] of figures) runs.push(await measure(name, master.url))
  }
  for (const [name, runs] of figures) {
    const of = (figure: keyof Figures) => median(runs.map((run) => run[figure]))
    const milliseconds = (['p50', 'p99', 'ack50', 'ack99'] as const).map(
      (figure) => `${of(figure).toFixed(2)} ms`,
    )
    console.log(`| ${[name, Math.round(of('flood')), of('cpu').toFixed(1), ...milliseconds].join(' | ')} |`)
  }
  const { subscription, client } = await bytesOfRedis(master.url)
  console.log(
    `\nRedis: ${Math.round(subscription)} bytes a subscription, ${Math.round(client)} bytes a client in a room`,
  )
} finally {
  await replica.stop()
  await master.stop()
}
