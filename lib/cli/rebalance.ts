import { askRunning } from '../admin/ask-running.ts'
import { type RebalanceStartEvent } from '../core/events.ts'
import { describeRebalance } from '../observe/describe-rebalance.ts'
import { thousands } from '../observe/thousands.ts'
import { type RebalanceResult } from '../proxy/controls.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'

export interface RebalanceFlags extends Flags {
  readonly pool: string | undefined
}

/** `wslb rebalance`: moves tunnels from backends that have more than their share, and waits until that is done. */
export async function rebalance(flags: RebalanceFlags): Promise<number> {
  const { json, pool } = flags
  const onProgress = (progress: object) =>
    say(json, describeRebalance(progress as RebalanceStartEvent), { event: 'rebalance:start', ...progress })
  try {
    const asked = { input: { pool }, onProgress }
    const { closed } = (await askRunning(configPath(flags), 'rebalance', asked)) as RebalanceResult
    const what = pool === undefined ? 'rebalanced' : `rebalanced ${pool}`
    say(json, `${what}: ${thousands(closed)} tunnels closed`, { event: 'rebalanced', pool, closed })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}
