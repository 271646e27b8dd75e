import { parseArgs } from 'node:util'
import * as faults from './faults.ts'
import { type Performance, perform } from './perform.ts'
import { randomSchedule } from './random-schedule.ts'

// npm run test:faults -- [--seed N] [--rounds N]: every fault, then random ones, and the table of docs/relay.md.

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    rounds: { type: 'string', default: '5' },
  },
})
const seed = Number(values.seed)
const random = Array.from({ length: Number(values.rounds) }, (_, round) => randomSchedule(seed + round))

let failed = 0
console.log(`seed ${seed}\n`)
console.log('| fault | sent | delivered | broken | gaps | seen in a dead tail | interruption |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const fault of [...Object.values(faults), ...random]) {
  const ends: (() => unknown)[] = []
  try {
    const performance = await perform({ teardown: (end) => ends.unshift(end) }, fault)
    console.log(row(performance))
    if (performance.broken.length > 0) failed++
    for (const { guarantee, what } of performance.broken.slice(0, 10)) console.log(`  ${guarantee}: ${what}`)
  } catch (error) {
    failed++
    console.log(`${fault.name}: ${String(error)}`)
  }
  for (const end of ends) await end()
}
console.log(failed === 0 ? '\nall promises kept' : `\n${failed} failed; again with --seed ${seed}`)
process.exitCode = failed === 0 ? 0 : 1

function row({ fault, sent, delivered, broken, gaps, ghosts, interruption }: Performance): string {
  const seconds = `${(interruption / 1_000).toFixed(1)} s`
  return `| ${[fault, sent, delivered, broken.length, gaps, ghosts, seconds].join(' | ')} |`
}
