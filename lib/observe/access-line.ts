import { type Attempted } from '../core/attempted.ts'
import {
  type RequestDoneEvent,
  type TunnelCloseEvent,
  type TunnelOpenEvent,
  type UpgradeRejectEvent,
} from '../core/events.ts'
import { type ErrorCode, stackOf } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'

/** One line of the access log: the fields for machines, the message for people. */
export interface AccessLine {
  readonly fields: Record<string, unknown>
  readonly message: string
}

export function requestLine(done: RequestDoneEvent): AccessLine {
  const { request, backend, status, error } = done
  return {
    fields: {
      event: 'request:done',
      ...requestFields(request),
      status,
      ...whereAndHowLong(done),
      bytesIn: done.bytesIn,
      bytesOut: done.bytesOut,
      ...attemptFields(done),
      ...errorFields(error),
      ...contextOf(request),
    },
    message: sentence(
      request.method,
      pathOf(request),
      status,
      backend,
      millis(done.duration),
      ...attemptWords(done),
      problem(error),
    ),
  }
}

export function rejectLine(reject: UpgradeRejectEvent): AccessLine {
  const { request, backend, status, error } = reject
  return {
    fields: {
      event: 'upgrade:reject',
      ...requestFields(request),
      status,
      ...whereAndHowLong(reject),
      ...attemptFields(reject),
      ...errorFields(error),
      ...contextOf(request),
    },
    message: sentence(
      'WS',
      pathOf(request),
      'refused',
      status,
      backend,
      millis(reject.duration),
      ...attemptWords(reject),
      problem(error),
    ),
  }
}

export function openLine(open: TunnelOpenEvent): AccessLine {
  const { request, backend } = open
  return {
    fields: {
      event: 'tunnel:open',
      tunnel: open.id,
      route: open.route,
      ...requestFields(request),
      status: 101,
      ...whereAndHowLong({ ...open, duration: open.handshake }),
      ...attemptFields(open),
      ...contextOf(request),
    },
    message: sentence('WS', pathOf(request), 'open', backend, millis(open.handshake), ...attemptWords(open)),
  }
}

export function closeLine(close: TunnelCloseEvent): AccessLine {
  const { request, backend, closedBy, cause, closeCode, error } = close
  const { bytesIn, bytesOut, messagesIn, messagesOut } = close
  return {
    fields: {
      event: 'tunnel:close',
      tunnel: close.id,
      route: close.route,
      ...requestFields(request),
      ...whereAndHowLong(close),
      bytesIn,
      bytesOut,
      messagesIn,
      messagesOut,
      closedBy,
      cause,
      closeCode,
      ...errorFields(error),
      ...contextOf(request),
    },
    message: sentence(
      'WS',
      pathOf(request),
      `closed by ${closedBy} (${cause}, ${closeCode})`,
      backend,
      millis(close.duration),
      `${bytesIn} B in ${bytesOut} B out`,
      problem(error),
    ),
  }
}

/** No header, cookie or query ever comes in here: they carry secrets. */
function requestFields(request: IncomingRequest) {
  return { method: request.method, host: request.host, path: pathOf(request), client: request.clientAddress }
}

/** An absolute-form target may hold `user:password@` (RFC 3986 §3.2.1). */
function pathOf({ path }: IncomingRequest): string {
  return path.startsWith('/') ? path : path.replace(/^([a-z+.-]+:\/\/)[^/]*@/i, '$1')
}

function whereAndHowLong(event: { backend: string | undefined; pool: string | undefined; duration: number }) {
  return { backend: event.backend, pool: event.pool, ms: Math.round(event.duration * 10) / 10 }
}

function attemptFields({ attempts, retries, noRetry }: Attempted): Record<string, unknown> {
  if (retries.length === 0 && noRetry === undefined) return { attempts }
  return { attempts, ...(retries.length > 0 && { retries }), ...(noRetry && { noRetry }) }
}

/** `retried blue:connect-failed no-retry:budget`. */
function attemptWords({ retries, noRetry }: Attempted): string[] {
  const failures = retries.map(({ backend, code }) => `${backend}:${wordsOf(code)}`)
  return [
    ...(failures.length > 0 ? [`retried ${failures.join(',')}`] : []),
    ...(noRetry ? [`no-retry:${noRetry}`] : []),
  ]
}

/** `WSLB_CONNECT_FAILED` → `connect-failed`. */
function wordsOf(code: ErrorCode): string {
  return code.slice('WSLB_'.length).toLowerCase().replaceAll('_', '-')
}

function errorFields(error: Error | undefined): Record<string, unknown> {
  if (error === undefined) return {}
  // A stack is for our bugs and the user's hooks; "connection refused" needs none.
  const stack =
    'blame' in error && error.blame === 'internal'
      ? { stack: stackOf(error.cause) ?? error.stack }
      : undefined
  return { code: 'code' in error ? error.code : undefined, reason: error.message, ...stack }
}

function contextOf(request: IncomingRequest): { context?: Record<string, unknown> } {
  for (const _ in request.context) return { context: request.context }
  return {}
}

function problem(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined
  return 'code' in error ? `${String(error.code)}: ${error.message}` : error.message
}

function millis(duration: number): string {
  return duration < 10 ? `${duration.toFixed(1)} ms` : `${Math.round(duration)} ms`
}

/** Control characters of a path would drive the reader's terminal, a line break would forge a line. */
function sentence(...parts: (string | number | undefined)[]): string {
  const text = parts.filter((part) => part !== undefined).join(' ')
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
