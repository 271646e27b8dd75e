import { setTimeout as sleep } from 'node:timers/promises'
import { type Test } from 'tap'
import { type Scope } from '../../support/balancer.ts'
import { type Verdict } from './checker.ts'
import { type Fault } from './faults.ts'
import { type Recorded } from './record.ts'
import { Stage } from './stage.ts'

/** Milliseconds for which all is well, before and after. */
const MOMENT = 300
const NODES = ['a', 'b', 'c']

export interface Performance extends Verdict {
  readonly fault: string
  /** Milliseconds, the longest time in which some subscriber got nothing. */
  readonly interruption: number
  /** Of the gaps that were told. */
  readonly reasons: readonly string[]
}

/** Plays a fault while three nodes publish `rate` messages a second between them. */
export async function perform(
  t: Scope,
  { name, stage: options, strike }: Fault,
  rate = 300,
): Promise<Performance> {
  const stage = await Stage.open(t, options)
  for (const node of NODES) await stage.node(node)
  for (const node of stage.nodes) node.publish(rate / NODES.length)
  await stage.calm()
  await sleep(MOMENT)
  await strike(stage)
  await stage.calm()
  await sleep(MOMENT)
  const verdict = await stage.finish()
  const { events } = stage.recorder
  const reasons = new Set(events.flatMap((event) => (event.kind === 'gap' ? [event.reason] : [])))
  return { fault: name, interruption: Math.round(interruption(events)), reasons: [...reasons], ...verdict }
}

/** Asserts what was promised, and that there was something to judge. */
export function judge(
  t: Test,
  { fault, broken, ...counts }: Performance,
  { gaps = 0, ghosts = false }: Fault,
): void {
  t.strictSame(broken, [], fault)
  t.ok(counts.delivered > 300, `${fault}: ${JSON.stringify(counts)}`)
  t.equal(counts.gaps, gaps * NODES.length, `${fault}: gaps (${counts.reasons.join(', ')})`)
  if (ghosts) t.ok(counts.ghosts > 0, `${fault}: a tail that did not survive was seen`)
}

function interruption(events: readonly Recorded[]): number {
  const last = new Map<string, number>()
  let longest = 0
  for (const event of events) {
    if (event.kind !== 'deliver' || !NODES.includes(event.subscriber)) continue
    longest = Math.max(longest, event.at - (last.get(event.subscriber) ?? event.at))
    last.set(event.subscriber, event.at)
  }
  return longest
}
