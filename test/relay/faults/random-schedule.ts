import { seededRandom } from '../../support/random.ts'
import * as faults from './faults.ts'

/** Those that leave a whole cluster behind, so that another one may follow. */
const REPEATABLE = [
  faults.killed,
  faults.hanging,
  faults.nearSide,
  faults.farSide,
  faults.middle,
  faults.deafSentinels,
  faults.muteNode,
  faults.sentinelsRestarted,
]

/** Three faults in a row on one cluster: the same for the same seed. */
export function randomSchedule(seed: number): faults.Fault {
  const random = seededRandom(seed)
  const picked = Array.from({ length: 3 }, () => REPEATABLE[Math.floor(random() * REPEATABLE.length)]!)
  return {
    name: `seed ${seed}: ${picked.map(({ name }) => name).join('; ')}`,
    stage: faults.nearSide.stage,
    strike: async (stage) => {
      for (const { strike } of picked) {
        await strike(stage)
        await stage.calm()
      }
    },
  }
}
