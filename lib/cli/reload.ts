import { askRunning } from '../admin/ask-running.ts'
import { type Plan } from '../core/events.ts'
import { describePlan } from '../observe/describe-plan.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say, withWarnings } from './report.ts'

/** `wslb reload`: has the config read again, and says what has changed. */
export async function reload(flags: Flags): Promise<number> {
  try {
    const plan = (await askRunning(configPath(flags), 'reload')) as Plan
    const text = withWarnings(`config reloaded: ${describePlan(plan)}`, plan)
    say(flags.json, text, { event: 'config:reload', ...plan })
    return EXIT_OK
  } catch (error) {
    return complain(flags.json, error)
  }
}
