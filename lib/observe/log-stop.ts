import { type Logger } from '../core/logger.ts'

export function logStop(logger: Logger): void {
  logger.info({ event: 'stop' }, 'stopping; a second signal cuts')
}

export function logStopped(logger: Logger): void {
  logger.info({ event: 'stopped' }, 'stopped')
}
