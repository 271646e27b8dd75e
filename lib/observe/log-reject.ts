import { type Logger } from '../core/logger.ts'

/**
 * One line that says that nothing has changed, and why.
 * @param explanation a problem a line; lines of source with a mark under them are for the terminal and left out
 */
export function logReject(logger: Logger, error: unknown, explanation: string): void {
  const reason = explanation
    .split('\n')
    .filter((line) => !/^\s/.test(line))
    .join('; ')
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  logger.error(
    { event: 'config:reject', code, reason },
    `config rejected, the last good one serves on: ${reason}`,
  )
}
