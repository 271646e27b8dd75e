import { type BackendEvent, type EventName, type Listener } from '../core/events.ts'
import { type Blame, type WslbError } from '../core/errors.ts'
import { type Logger } from '../core/logger.ts'
import { type AccessLine, closeLine, openLine, rejectLine, requestLine } from './access-line.ts'
import { describePlan } from './describe-plan.ts'

/** What is listened to: a balancer. */
export interface EventSource {
  on<K extends EventName>(name: K, listener: Listener<K>): unknown
  off<K extends EventName>(name: K, listener: Listener<K>): unknown
}

/** pino can say whether a line would be written; other loggers need not. */
type LevelledLogger = Logger & { isLevelEnabled?(level: string): boolean }

/**
 * Writes the life of a balancer to its log: a line per request and per tunnel, backends, config.
 * Lines that the level leaves out are not listened for, so the balancer does not even make their events.
 * @returns stops it
 */
export function logEvents(source: EventSource, logger: LevelledLogger): () => void {
  const enabled = (level: 'info' | 'warn' | 'error') => logger.isLevelEnabled?.(level) ?? true
  const undo: (() => void)[] = []
  const listen = <K extends EventName>(name: K, listener: Listener<K>) => {
    source.on(name, listener)
    undo.push(() => source.off(name, listener))
  }

  if (enabled('info')) {
    const write = (line: AccessLine, blame?: Blame) =>
      blame === undefined || blame === 'client'
        ? logger.info(line.fields, line.message)
        : logger.warn(line.fields, line.message)
    listen('request:done', (event) => write(requestLine(event), event.error?.blame))
    listen('upgrade:reject', (event) => write(rejectLine(event), event.error?.blame))
    listen('tunnel:open', (event) => write(openLine(event)))
    listen('tunnel:close', (event) => write(closeLine(event)))

    const tell = (name: EventName, event: BackendEvent, what: string, more?: object) =>
      logger.info(
        { event: name, backend: event.backend, pool: event.pool, ...more },
        `backend ${nameOf(event)} ${what}`,
      )
    listen('backend:up', (event) => tell('backend:up', event, 'up'))
    listen('backend:suspect', (event) =>
      tell('backend:suspect', event, `suspect: ${event.reason}`, { reason: event.reason }),
    )
    listen('backend:added', (event) => tell('backend:added', event, 'added'))
    listen('backend:removed', (event) => tell('backend:removed', event, 'removed'))
    listen('backend:draining', (event) => tell('backend:draining', event, 'draining'))
    listen('backend:drained', (event) =>
      tell('backend:drained', event, event.cut > 0 ? `drained, ${event.cut} tunnels cut` : 'drained', {
        cut: event.cut,
      }),
    )
    listen('config:reload', ({ plan }) =>
      logger.info({ event: 'config:reload', ...plan }, `config reloaded: ${describePlan(plan)}`),
    )
  }
  if (enabled('warn')) {
    listen('backend:down', (event) => {
      const { backend, pool, reason } = event
      logger.warn(
        { event: 'backend:down', backend, pool, reason },
        `backend ${nameOf(event)} down: ${reason}`,
      )
    })
  }
  if (enabled('error')) {
    listen('config:reject', ({ error }) => logReject(logger, error))
  }
  return () => undo.forEach((off) => off())
}

/** One line that says what is wrong, and that nothing has changed. */
export function logReject(logger: Logger, error: WslbError): void {
  const what = error.message.replace(/\s*\n\s*/g, '; ')
  logger.error(
    { event: 'config:reject', code: error.code, reason: error.message },
    `config rejected, the last good one serves on: ${what}`,
  )
}

function nameOf({ backend, pool }: BackendEvent): string {
  return pool === 'default' ? backend : `${pool}/${backend}`
}
