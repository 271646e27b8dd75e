// What following frames costs: wslb against a plain splice of two sockets, on loopback: npm run bench:splice [-- --rounds N]
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startBackend, startNode } from './peers.ts'
import { median, quantile } from './table.ts'
import { cpuMicroseconds } from './usage.ts'
import { echo } from './workloads.ts'

const { values: flags } = parseArgs({ options: { rounds: { type: 'string', default: '12' } } })
const rounds = Math.min(100, Math.max(1, Number(flags.rounds)))
/** Slices of a round alternate: what slows the machine down meanwhile slows both. */
const SLICES = 10
const ECHOES = 3_000
const WARM_UP = 20_000
const workload = echo('echo 64 B', 64)

const ratios: number[] = []
const costs: Record<'wslb' | 'splice', number[]> = { wslb: [], splice: [] }
const backend = await startBackend()
try {
  for (let round = 0; round < rounds; round++) {
    const { wslb, splice } = await measureRound(backend.port)
    costs.wslb.push(wslb)
    costs.splice.push(splice)
    ratios.push(wslb / splice)
    process.stderr.write(`round ${round + 1}/${rounds}: ${(wslb / splice).toFixed(3)}\n`)
  }
} finally {
  await backend.stop()
}
console.log(
  `CPU for an echo of 64 bytes: wslb ${median(costs.wslb).toFixed(1)} µs, splice ${median(costs.splice).toFixed(1)} µs; ` +
    `ratio ${median(ratios).toFixed(3)}, half of ${rounds} rounds between ${quantile(ratios, 0.25).toFixed(3)} and ${quantile(ratios, 0.75).toFixed(3)}`,
)

/** Both in fresh processes. @returns microseconds an echo */
async function measureRound(backendPort: number): Promise<Record<'wslb' | 'splice', number>> {
  const proxies = [await startNode('wslb', backendPort), await startNode('splice', backendPort)]
  try {
    const sessions = await Promise.all(proxies.map(({ port }) => workload.open(port)))
    // Code is compiled, and compiled again, before anything is counted.
    for (const session of sessions) await session.run(WARM_UP)
    const spent = [0, 0]
    for (let slice = 0; slice < SLICES; slice++) {
      // A B, B A, A B, …: neither is always the one that comes second.
      for (const i of slice % 2 === 0 ? [0, 1] : [1, 0]) {
        const before = cpuMicroseconds(proxies[i]!.pid)
        await sessions[i]!.run(ECHOES)
        spent[i]! += cpuMicroseconds(proxies[i]!.pid) - before
      }
      await sleep(20)
    }
    await Promise.all(sessions.map((session) => session.close()))
    const [wslb = 0, splice = 0] = spent.map((total) => total / (SLICES * ECHOES))
    return { wslb, splice }
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.stop()))
  }
}
