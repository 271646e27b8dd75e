import { askRunning } from '../admin/ask-running.ts'
import { closing } from '../config/schema.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { checked, numeric } from './option-values.ts'
import { complain, say } from './report.ts'
import { UsageError } from './usage-error.ts'

export interface CloseFlags extends Flags {
  readonly id: string
  readonly code: string
  readonly reason: string | undefined
}

/** `wslb close`: closes one open tunnel with a Close frame. */
export async function close(flags: CloseFlags): Promise<number> {
  const { json } = flags
  try {
    const id = numeric(flags.id)
    if (typeof id !== 'number') throw new UsageError(`id: expected a number, got ${JSON.stringify(id)}`)
    const { code, reason } = checked(closing, { code: numeric(flags.code), reason: flags.reason })
    await askRunning(configPath(flags), 'close', { input: { id, code, reason } })
    say(json, `closed ${id} with ${code}`, { event: 'closed', id, code, reason })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}
