// wslb side by side with other proxies, on loopback: npm run bench [-- --quick] [-- --rounds N] [-- --only wslb]
import { cpus, release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Child } from './child-process.ts'
import { cpuPerUnit, memoryPerSocket } from './measure.ts'
import { type Peer, peers, startBackend } from './peers.ts'
import { type Column, markdownTable } from './table.ts'
import { echo, handshake, request } from './workloads.ts'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
})
const rounds = flags.quick ? 1 : Math.min(20, Math.max(1, Number(flags.rounds)))
const scale = flags.quick ? 0.005 : 1
const ROUND_LIMIT = 60_000

const IDLE = { name: 'idle socket', unit: 'KiB', count: 2_000 } as const
const WORKLOADS = [
  { workload: request, count: 10_000 },
  { workload: echo('echo 64 B', 64), count: 15_000 },
  { workload: echo('echo 16 KiB', 16_384), count: 8_000 },
  { workload: handshake, count: 2_000 },
]
const columns: Column[] = [
  ...WORKLOADS.map(({ workload: { name } }) => ({ name, unit: 'µs' as const })),
  IDLE,
]

if (process.platform !== 'linux') throw new Error('the figures come from /proc: this runs on Linux only')

const all = peers().filter(({ name }) => name.startsWith(flags.only))
const figures = new Map(
  all.map(({ name }) => [name, new Map(columns.map(({ name }) => [name, [] as number[]]))]),
)
const backend = await startBackend()
try {
  for (let round = 0; round < rounds; round++) {
    // Every round has every peer, each time another one first: what slows the machine for a while slows them all.
    for (const peer of rotated(all, round)) {
      const proxy = await peer.start(backend.port)
      await Promise.race([measureAll(peer, proxy), tooLate(peer)]).finally(() => proxy.stop())
      process.stderr.write(`round ${round + 1}/${rounds}: ${peer.name}\n`)
    }
  }
} finally {
  await backend.stop()
}

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}, ${rounds} rounds\n`,
)
console.log(markdownTable(figures, columns))

async function measureAll(peer: Peer, proxy: Child): Promise<void> {
  const cells = figures.get(peer.name)!
  cells.get(IDLE.name)!.push((await memoryPerSocket(proxy, IDLE.count * scale)) / 1024)
  for (const { workload, count } of WORKLOADS) {
    cells.get(workload.name)!.push(await cpuPerUnit(proxy, workload, count * scale))
  }
}

/** A peer that hangs does not hang the benchmark. */
async function tooLate({ name }: Peer): Promise<never> {
  await sleep(ROUND_LIMIT, undefined, { ref: false })
  throw new Error(`${name} took longer than ${ROUND_LIMIT / 1_000} s`)
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
