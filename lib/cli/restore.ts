import { askRunning } from '../admin/ask-running.ts'
import { type RestoreResult } from '../admin/drain.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'

export interface RestoreFlags extends Flags {
  readonly target: string
}

/** `wslb restore`: puts drained backends back into service. */
export async function restore(flags: RestoreFlags): Promise<number> {
  const { json, target } = flags
  try {
    const result = (await askRunning(configPath(flags), 'restore', { input: { target } })) as RestoreResult
    say(json, `restored ${result.backends.join(', ')}`, { event: 'restored', ...result })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}
