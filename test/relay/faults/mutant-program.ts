import { type Scope } from '../../support/balancer.ts'
import { type Verdict } from './checker.ts'
import { flushed, restored } from './faults.ts'
import { lateConfirmation } from './late-confirmation.ts'
import { perform } from './perform.ts'
import { firstAnswer, leasesOfOthers } from './two-masters.ts'

// Plays one schedule, by the library that stands beside it, and answers with what was broken.

const schedules = {
  flushed: (t) => perform(t, flushed),
  restored: (t) => perform(t, restored),
  lateConfirmation,
  leasesOfOthers,
  firstAnswer,
} satisfies { [name: string]: (t: Scope) => Promise<Verdict> }

export type Schedule = keyof typeof schedules

const ends: (() => unknown)[] = []
try {
  const { broken } = await schedules[process.argv[2] as Schedule]({ teardown: (end) => ends.unshift(end) })
  process.send!(broken)
} finally {
  for (const end of ends) await end()
  process.disconnect()
}
