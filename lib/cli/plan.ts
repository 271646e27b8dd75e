import { resolve } from 'node:path'
import { askRunning } from '../admin/ask-running.ts'
import { fullName } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type Plan } from '../core/events.ts'
import { describePlan } from '../observe/describe-plan.ts'
import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { loadOnce } from './load-once.ts'
import { complain, say } from './report.ts'

export interface PlanFlags extends Flags {
  /** A candidate for the config. */
  readonly file: string | undefined
}

/** `wslb plan`: what a reload would do to the running `wslb start`. */
export async function plan(flags: PlanFlags): Promise<number> {
  const { json } = flags
  let file: string | undefined
  try {
    const config = configPath(flags)
    const candidate = flags.file === undefined ? config : resolve(flags.file)
    file = shownPath(candidate)
    const running = await planOfRunning(config, candidate)
    const plan = running ?? (await planOfStart(candidate, flags))
    const who = running ? 'a reload would do' : `nobody serves ${shownPath(config)}; a start would do`
    say(json, `${who}: ${describePlan(plan)}`, { event: 'plan', file, running: !!running, ...plan })
    return EXIT_OK
  } catch (error) {
    return complain(json, error, file)
  }
}

/** @returns `undefined` when nobody runs */
async function planOfRunning(config: string, file: string): Promise<Plan | undefined> {
  try {
    return (await askRunning(config, 'plan', { input: { file } })) as Plan
  } catch (error) {
    if (error instanceof WslbError && error.code === 'WSLB_NOT_RUNNING') return undefined
    throw error
  }
}

async function planOfStart(file: string, flags: Flags): Promise<Plan> {
  const { pools, drain } = await loadOnce(file, flags)
  const added = pools.flatMap((pool) => pool.backends.map(({ id }) => fullName({ id, pool: pool.name })))
  const nothing = { removed: [], changed: [], kept: [], tunnelsKept: 0, tunnelsDrained: 0 }
  return { added, ...nothing, over: drain.over }
}
