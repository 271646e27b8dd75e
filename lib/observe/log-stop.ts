import { type Logger } from '../core/logger.ts'
import { seconds } from './seconds.ts'

/** What a stop begins with; times in milliseconds. */
export interface Stop {
  readonly tunnels: number
  /** Close frames are spread over this time. */
  readonly over: number
  /** What is still open then is cut. */
  readonly deadline: number
}

export function logStop(logger: Logger, stop: Stop): void {
  const { tunnels, over } = stop
  const what = `${tunnels} tunnel${tunnels === 1 ? '' : 's'}${tunnels > 0 ? `, closing over ${seconds(over)}` : ''}`
  logger.info({ event: 'stop', ...stop }, `stopping: ${what}; a second Ctrl-C cuts`)
}

export function logStopped(logger: Logger): void {
  logger.info({ event: 'stopped' }, 'stopped')
}
