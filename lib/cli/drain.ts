import { askRunning } from '../admin/ask-running.ts'
import { type DrainProgress, type DrainResult } from '../admin/drain.ts'
import { drain as rule } from '../config/schema.ts'
import { WslbError } from '../core/errors.ts'
import { describeDrain } from '../observe/describe-drain.ts'
import { thousands } from '../observe/thousands.ts'
import { configPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { checked, numeric } from './option-values.ts'
import { complain, say } from './report.ts'
import { withUnit } from './with-unit.ts'

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
    say(json, describe(progress as DrainProgress), { event: 'drain:progress', ...progress })
  const onInterrupt = () => {
    process.stderr.write(`the drain goes on; \`wslb restore ${target}\` ends it\n`)
    // Now as if nobody had listened.
    process.kill(process.pid, 'SIGINT')
  }
  if (wait) process.once('SIGINT', onInterrupt)
  try {
    const input = { target, wait, options: optionsOf(flags) }
    const result = (await askRunning(configPath(flags), 'drain', { input, onProgress })) as DrainResult
    const { backends, drained, drains, cut } = result
    if (!wait) {
      const lines = [...drained.map((backend) => `drained ${backend}`), ...drains.map(describe)]
      say(json, lines.join('\n'), { event: 'draining', target, backends, drains })
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
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

function describe(progress: DrainProgress): string {
  return describeDrain(progress) + (progress.joined ? ', joined the drain under way' : '')
}

/** As a config would have them. @throws UsageError */
function optionsOf({ over, deadline, code, reason, order }: DrainFlags): object {
  const times = { over: withUnit('over', over), deadline: withUnit('deadline', deadline) }
  return checked(rule, { ...times, code: numeric(code), reason, order })
}
