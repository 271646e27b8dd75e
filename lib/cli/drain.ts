import { askRunning } from '../admin/ask-running.ts'
import { type DrainResult } from '../admin/drain.ts'
import { drain as rule } from '../config/schema.ts'
import { WslbError } from '../core/errors.ts'
import { type DrainProgressEvent } from '../core/events.ts'
import { describeDrain } from '../observe/describe-drain.ts'
import { thousands } from '../observe/thousands.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'
import { UsageError } from './usage-error.ts'

export interface DrainFlags extends Flags {
  readonly target: string
  readonly over: string | undefined
  readonly deadline: string | undefined
  readonly code: string | undefined
  readonly reason: string | undefined
  readonly order: string | undefined
  readonly wait: boolean
}

/** `wslb drain`: takes backends out of service, and waits until nothing is left on them. */
export async function drain(flags: DrainFlags): Promise<number> {
  const { json, target, wait } = flags
  const onProgress = (progress: object) =>
    say(json, describeDrain(progress as DrainProgressEvent), { event: 'drain:progress', ...progress })
  try {
    const input = { target, wait, options: optionsOf(flags) }
    const result = (await askRunning(configPath(flags), 'drain', { input, onProgress })) as DrainResult
    const { backends, drained, cut } = result
    if (!wait) {
      say(json, `draining ${target}: ${backends.join(', ')}`, { event: 'draining', target, backends })
      return EXIT_OK
    }
    const restored = backends.filter((backend) => !drained.includes(backend))
    if (restored.length > 0)
      throw new WslbError('WSLB_CONTROL', `not drained, because restored meanwhile: ${restored.join(', ')}`)
    const cutAtEnd = cut > 0 ? `, ${thousands(cut)} cut at the deadline` : ''
    say(json, `drained ${target}${cutAtEnd}`, { event: 'drained', ...result })
    return EXIT_OK
  } catch (error) {
    return complain(json, error)
  }
}

/** As a config would have them. @throws UsageError */
function optionsOf({ over, deadline, code, reason, order }: DrainFlags): object {
  const given = { over: numeric(over), deadline: numeric(deadline), code: numeric(code), reason, order }
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const { error } = rule.safeParse(options)
  if (error)
    throw new UsageError(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
  return options
}

/** `500` is a number of milliseconds, or a code; `30s` stays what it is. */
function numeric(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}
