// One node of a contender in a process of its own: member.ts NAME URL
import { performance } from 'node:perf_hooks'
import { quantile } from '../table.ts'
import { CONTENDERS } from './contenders.ts'

/** Bytes of a message. */
const SIZE = 256

export type Order =
  | { readonly do: 'receive'; readonly count: number }
  /** As fast as it goes, with so many under way. */
  | { readonly do: 'flood'; readonly count: number; readonly abreast: number }
  /** So many a second. */
  | { readonly do: 'pace'; readonly count: number; readonly rate: number }

export interface Report {
  readonly done: Order['do'] | 'ready'
  /** Milliseconds since the machine was started. */
  readonly at: number
  /** Milliseconds, of a receiver from publish to arrival, of a publisher until `publish()` settled. */
  readonly p50?: number
  readonly p99?: number
  /** Microseconds of CPU of this process for one message. */
  readonly cpu?: number
}

const [name = '', url = ''] = process.argv.slice(2)
const member = await CONTENDERS[name]!(url)
/** One clock for all processes of the machine, in milliseconds. */
const now = () => Number(process.hrtime.bigint()) / 1e6
const padding = 'x'.repeat(SIZE)

function message(): string {
  return `${now()} ${padding}`.slice(0, SIZE)
}

let received: number[] = []
let expected = Infinity
let usage = process.cpuUsage()
await member.receive((text) => {
  received.push(now() - Number(text.slice(0, text.indexOf(' '))))
  if (received.length === expected) report('receive', received)
})

function report(done: Report['done'], latencies: readonly number[] = []): void {
  const { user, system } = process.cpuUsage(usage)
  const figures =
    latencies.length > 0
      ? {
          p50: quantile(latencies, 0.5),
          p99: quantile(latencies, 0.99),
          cpu: (user + system) / latencies.length,
        }
      : {}
  process.send!({ done, at: now(), ...figures } satisfies Report)
}

async function flood(count: number, abreast: number): Promise<number[]> {
  const latencies: number[] = []
  let sent = 0
  const publisher = async () => {
    while (sent++ < count) {
      const began = now()
      await member.publish(message())
      latencies.push(now() - began)
    }
  }
  await Promise.all(Array.from({ length: abreast }, publisher))
  return latencies
}

async function pace(count: number, rate: number): Promise<number[]> {
  const latencies: number[] = []
  const began = performance.now()
  const under: Promise<unknown>[] = []
  while (under.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - began) * rate) / 1_000))
    while (under.length < due) {
      const start = now()
      under.push(member.publish(message()).then(() => latencies.push(now() - start)))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(under)
  return latencies
}

process.on('message', (order: Order) => {
  usage = process.cpuUsage()
  if (order.do === 'receive') {
    received = []
    expected = order.count
    report('ready')
  } else {
    const publishing =
      order.do === 'flood' ? flood(order.count, order.abreast) : pace(order.count, order.rate)
    void publishing.then((latencies) => report(order.do, latencies))
  }
})
process.on('disconnect', () => process.exit())
report('ready')
