import { askRunning } from '../admin/ask-running.ts'
import { type RestoreProgress, type RestoreResult } from '../admin/drain.ts'
import { positiveDuration } from '../config/values.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'
import { UsageError } from './usage-error.ts'
import { withUnit } from './with-unit.ts'

export interface RestoreFlags extends Flags {
  readonly target: string
  readonly deadline: string
  readonly wait: boolean
}

/** `wslb restore`: puts drained backends back into service, and waits until they are up. */
export async function restore(flags: RestoreFlags): Promise<number> {
  const { json, target, wait } = flags
  const onProgress = (progress: object) => {
    const { up } = progress as RestoreProgress
    say(json, `${up} up`, { event: 'up', backend: up })
  }
  try {
    const input = { target, wait, deadline: deadlineOf(flags) }
    const result = (await askRunning(configPath(flags), 'restore', { input, onProgress })) as RestoreResult
    say(json, `restored ${result.backends.join(', ')}`, { event: 'restored', ...result })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}

/** In milliseconds. @throws UsageError */
function deadlineOf({ deadline }: RestoreFlags): number {
  const { data, error } = positiveDuration.safeParse(withUnit('deadline', deadline))
  if (error) throw new UsageError(error.issues.map(({ message }) => `deadline: ${message}`).join('\n'))
  return data
}
