import { fullName } from '../core/backend.ts'
import {
  type BackendEvent,
  type EventName,
  type EventListener,
  type TunnelCloseEvent,
} from '../core/events.ts'
import { type Blame, WslbError } from '../core/errors.ts'
import { type Logger } from '../core/logger.ts'
import { type AccessLine, closeLine, openLine, rejectLine, requestLine } from './access-line.ts'
import { describeFailure, describeUpdate } from './describe-discovery.ts'
import { describeDrain } from './describe-drain.ts'
import { describePlan } from './describe-plan.ts'
import { describeTime } from './describe-time.ts'
import { describeTunnels } from './describe-tunnels.ts'
import { describeRebalance } from './describe-rebalance.ts'
import { logReject } from './log-reject.ts'
import { thousands } from './thousands.ts'

/** What is listened to: a balancer. */
export interface EventSource {
  on<K extends EventName>(name: K, listener: EventListener<K>): unknown
  off<K extends EventName>(name: K, listener: EventListener<K>): unknown
}

/** pino can say whether a line would be written; other loggers need not. */
type LevelledLogger = Logger & { isLevelEnabled?(level: string): boolean }

/** Out of file descriptors, a listener fails thousands of times a second. */
const REPEAT = 10_000

/**
 * Writes the life of a balancer to its log: a line per request and per tunnel, backends, config.
 * Lines that the level leaves out are not listened for, so the balancer does not even make their events.
 * @returns stops it
 */
export function logEvents(source: EventSource, logger: LevelledLogger): () => void {
  const isNews = rememberFor(REPEAT)
  const enabled = (level: 'info' | 'warn' | 'error') => logger.isLevelEnabled?.(level) ?? true
  const undo: (() => void)[] = []
  const listen = <K extends EventName>(name: K, listener: EventListener<K>) => {
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
    listen('tunnel:close', (event) => write(closeLine(event), blameFor(event)))

    const tell = (name: EventName, event: BackendEvent, what: string, more?: object) =>
      logger.info(
        { event: name, backend: event.backend, pool: event.pool, ...more },
        `backend ${fullName({ id: event.backend, pool: event.pool })} ${what}`,
      )
    listen('backend:up', (event) => {
      const { downFor, reason } = event
      tell('backend:up', event, `up after ${describeTime(downFor)}`, { downFor, reason })
    })
    listen('backend:suspect', (event) =>
      tell('backend:suspect', event, `suspect: ${event.reason}`, { reason: event.reason }),
    )
    listen('backend:readmitted', (event) => tell('backend:readmitted', event, 'readmitted'))
    listen('pool:calm', (event) =>
      logger.info(
        { event: 'pool:calm', ...event },
        `pool ${event.pool} calm: ${event.usable} of ${event.members} backends can be used`,
      ),
    )
    listen('backend:added', (event) => tell('backend:added', event, 'added'))
    listen('backend:removed', (event) => tell('backend:removed', event, 'removed'))
    listen('discovery:update', (event) =>
      logger.info({ event: 'discovery:update', ...event }, describeUpdate(event)),
    )
    listen('drain:progress', (event) =>
      logger.info({ event: 'drain:progress', ...event }, describeDrain(event)),
    )
    listen('backend:drained', (event) =>
      tell(
        'backend:drained',
        event,
        event.cut > 0 ? `drained, ${event.cut} cut at the deadline` : 'drained',
        {
          cut: event.cut,
        },
      ),
    )
    listen('rebalance:start', (event) =>
      logger.info({ event: 'rebalance:start', ...event }, describeRebalance(event)),
    )
    listen('rebalance:done', (event) => {
      const { pool, closed } = event
      logger.info(
        { event: 'rebalance:done', ...event },
        `rebalanced ${pool}: ${thousands(closed)} tunnels closed`,
      )
    })
    listen('config:reload', ({ plan }) =>
      logger.info({ event: 'config:reload', ...plan }, `config reloaded: ${describePlan(plan)}`),
    )
  }
  if (enabled('warn')) {
    listen('config:reload', ({ plan: { warnings } }) => {
      for (const warning of warnings) logger.warn({ event: 'config:warning' }, warning)
    })
    listen('discovery:failed', (event) => {
      const { pool, source, error } = event
      logger.warn(
        { event: 'discovery:failed', pool, source, code: error.code, reason: error.message },
        describeFailure(event),
      )
    })
    listen('backend:down', (event) => {
      const { backend, pool, reason } = event
      logger.warn(
        { event: 'backend:down', backend, pool, reason },
        `backend ${fullName({ id: event.backend, pool: event.pool })} down: ${reason}`,
      )
    })
    listen('backend:ejected', (event) => {
      const { backend, pool, reason, until } = event
      logger.warn(
        { event: 'backend:ejected', ...event },
        `backend ${fullName({ id: backend, pool })} ejected until ${new Date(until).toISOString()}: ${reason}`,
      )
    })
    listen('pool:panic', (event) =>
      logger.warn(
        { event: 'pool:panic', ...event },
        `pool ${event.pool} in panic, health is ignored: ${event.usable} of ${event.members} backends can be used`,
      ),
    )
    listen('backend:tunnels', (event) => {
      const name = fullName({ id: event.backend, pool: event.pool })
      logger[event.closing > 0 ? 'warn' : 'info'](
        { event: 'backend:tunnels', ...event },
        `backend ${name}: ${describeTunnels(event)}`,
      )
    })
  }
  if (enabled('error')) {
    listen('config:reject', ({ error }) => logReject(logger, error, error.message))
    listen('listener:error', ({ address, error }) => {
      if (!isNews(`${address} ${error.message}`)) return
      logger.error(
        { event: 'listener:error', address, reason: error.message },
        `listener ${address}: ${error.message}`,
      )
    })
  }
  return () => undo.forEach((off) => off())
}

/** Clients vanish all the time; a backend that does, without a Close, is trouble. */
function blameFor({ error, cause, closedBy }: TunnelCloseEvent): Blame | undefined {
  if (error instanceof WslbError) return error.blame
  return cause === 'error' && closedBy === 'backend' ? 'backend' : undefined
}

/** Whether a text was not seen for `ms`. */
function rememberFor(ms: number): (text: string) => boolean {
  let last: { text: string; at: number } | undefined
  return (text) => {
    const at = performance.now()
    if (last?.text === text && at - last.at < ms) return false
    last = { text, at }
    return true
  }
}
