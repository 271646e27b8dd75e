import { resolve } from 'node:path'
import { askRunning } from '../admin/ask-running.ts'
import { fullName } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type Plan } from '../core/events.ts'
import { urlOf } from '../listener/listeners.ts'
import { describePlan, isChange } from '../observe/describe-plan.ts'
import { unserved } from '../unserved.ts'
import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { loadOnce } from './load-once.ts'
import { complain, say, withWarnings } from './report.ts'

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
    const who = running
      ? isChange(running)
        ? 'a reload would do'
        : 'nothing would change (functions are not compared)'
      : `nobody serves ${shownPath(config)}; a start would do`
    const text = withWarnings(`${who}: ${describePlan(plan)}`, plan)
    say(json, text, { event: 'plan', file, running: !!running, ...plan })
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
  const config = await loadOnce(file, flags)
  const { pools, drain, listen } = config
  const added = pools.flatMap((pool) => pool.backends.map(({ id }) => fullName({ id, pool: pool.name })))
  const sources = pools.flatMap(({ name, source }) => (source ? [`${name} from ${source.source.name}`] : []))
  const nothing = { removed: [], changed: [], kept: [], tunnelsKept: 0, tunnelsDrained: 0 }
  const listeners = { added: listen.map(urlOf), removed: [] }
  return {
    added,
    ...nothing,
    sources,
    over: drain.over,
    listeners,
    options: [],
    warnings: unserved(config, new Map()),
  }
}
