/** Who is at fault: decides what the client is told and whether a backend's health is touched. */
export type Blame = 'client' | 'backend' | 'config' | 'internal'

interface ErrorKind {
  readonly blame: Blame
  /** HTTP status while a status can still be sent (before the `101`, before the response head). */
  readonly status?: number
  /** WebSocket close code once the `101` is out (RFC 6455 §7.4). */
  readonly closeCode?: number
  /** Whether the same request may succeed on another backend, or a moment later. */
  readonly retryable: boolean
}

/** Every code a user can meet. `docs/errors.md` has a row for each; a test compares the two. */
export const ERROR_KINDS = {
  WSLB_CONFIG_INVALID: { blame: 'config', retryable: false },
  WSLB_CONFIG_NOT_FOUND: { blame: 'config', retryable: false },
  WSLB_CONFIG_LOAD: { blame: 'config', retryable: false },
  WSLB_LISTEN: { blame: 'config', retryable: true },
  WSLB_UNKNOWN_BACKEND: { blame: 'config', retryable: false },
  WSLB_DISCOVERY: { blame: 'config', retryable: true },
  WSLB_CONTROL: { blame: 'config', retryable: false },
  WSLB_NOT_RUNNING: { blame: 'config', retryable: true },
  WSLB_BAD_REQUEST: { blame: 'client', status: 400, retryable: false },
  WSLB_BAD_HANDSHAKE: { blame: 'client', status: 400, retryable: false },
  WSLB_BAD_VERSION: { blame: 'client', status: 426, retryable: false },
  WSLB_CLIENT_GONE: { blame: 'client', status: 499, closeCode: 1001, retryable: false },
  WSLB_BODY_TIMEOUT: { blame: 'client', status: 408, retryable: false },
  WSLB_REFUSED: { blame: 'client', status: 403, retryable: false },
  WSLB_NO_ROUTE: { blame: 'client', status: 404, retryable: false },
  WSLB_BAD_FRAME: { blame: 'client', closeCode: 1002, retryable: false },
  WSLB_BAD_TEXT: { blame: 'client', closeCode: 1007, retryable: false },
  WSLB_MESSAGE_TOO_BIG: { blame: 'client', closeCode: 1009, retryable: false },
  WSLB_HOOK_FAILED: { blame: 'internal', status: 500, closeCode: 1013, retryable: false },
  WSLB_HOOK_TIMEOUT: { blame: 'internal', status: 504, closeCode: 1013, retryable: true },
  WSLB_NO_BACKEND: { blame: 'backend', status: 503, closeCode: 1013, retryable: true },
  WSLB_AT_CAPACITY: { blame: 'backend', status: 503, closeCode: 1013, retryable: true },
  WSLB_TOO_MANY_HANDSHAKES: { blame: 'backend', status: 503, closeCode: 1013, retryable: true },
  WSLB_BACKEND_LOST: { blame: 'backend', status: 503, closeCode: 1013, retryable: true },
  WSLB_CONNECT_FAILED: { blame: 'backend', status: 502, retryable: true },
  WSLB_CONNECT_TIMEOUT: { blame: 'backend', status: 502, retryable: true },
  WSLB_BACKEND_DOWN: { blame: 'backend', status: 502, retryable: true },
  WSLB_BACKEND_RESET: { blame: 'backend', status: 502, closeCode: 1014, retryable: true },
  WSLB_RESPONSE_CUT: { blame: 'backend', status: 502, retryable: false },
  WSLB_BAD_ANSWER: { blame: 'backend', status: 502, closeCode: 1014, retryable: false },
  WSLB_HANDSHAKE_TIMEOUT: { blame: 'backend', status: 504, retryable: true },
  WSLB_RESPONSE_TIMEOUT: { blame: 'backend', status: 504, retryable: false },
  WSLB_NO_RESOURCES: { blame: 'internal', status: 503, retryable: true },
  WSLB_RELAY_AWAY: { blame: 'internal', retryable: true },
  WSLB_RELAY_REFUSED: { blame: 'internal', retryable: true },
  WSLB_RELAY_FULL: { blame: 'internal', retryable: true },
  WSLB_RELAY_TOO_LARGE: { blame: 'client', closeCode: 1009, retryable: false },
  WSLB_CLOSED: { blame: 'internal', status: 503, closeCode: 1001, retryable: true },
  WSLB_BODY_CONSUMED: { blame: 'internal', status: 500, retryable: false },
  WSLB_INTERNAL: { blame: 'internal', status: 500, retryable: false },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

export interface WslbErrorOptions {
  cause?: unknown
  /** Overrides whose fault the code says it is. */
  blame?: Blame
  /** Overrides the status of the code, e.g. the one a hook asked for. */
  status?: number
  /** Overrides what the code says, e.g. when part of a request that must not be repeated was sent. */
  retryable?: boolean
  /** Seconds for a `Retry-After` header (RFC 9110 §10.2.3). */
  retryAfter?: number
}

/** The one error class of wslb. Match on {@link code}; the message is for people. */
export class WslbError extends Error {
  override readonly name: string = 'WslbError'
  readonly code: ErrorCode
  readonly blame: Blame
  readonly status: number | undefined
  readonly closeCode: number | undefined
  readonly retryable: boolean
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: WslbErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    const kind: ErrorKind = ERROR_KINDS[code]
    this.code = code
    this.blame = options.blame ?? kind.blame
    this.status = options.status ?? kind.status
    this.closeCode = kind.closeCode
    this.retryable = options.retryable ?? kind.retryable
    this.retryAfter = options.retryAfter
  }
}

export interface ConfigProblem {
  /** Where in the config, e.g. `backends[2].weight`; empty for the config as a whole. */
  readonly path: string
  /** What was given, what is allowed, how to mend it. */
  readonly message: string
}

/** Everything that is wrong with a config, all at once. */
export class ConfigError extends WslbError {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(
    problems: readonly ConfigProblem[],
    code: ErrorCode = 'WSLB_CONFIG_INVALID',
    options: WslbErrorOptions = {},
  ) {
    super(
      code,
      problems.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('\n'),
      options,
    )
    this.problems = problems
  }
}

/** What was thrown as a WslbError: itself, or wrapped as `WSLB_INTERNAL` with the original as `cause`. */
export function toWslbError(thrown: unknown, code: ErrorCode = 'WSLB_INTERNAL'): WslbError {
  return isWslbError(thrown) ? thrown : new WslbError(code, messageOf(thrown), { cause: thrown })
}

/** What is refused because the balancer is closing or closed: no other backend would do either. */
export function balancerClosed(): WslbError {
  return new WslbError('WSLB_CLOSED', 'the balancer is shutting down', { retryAfter: 1, retryable: false })
}

/** What runs on a backend when the deadline of its drain has come. @param repeatable whether another may have it */
export function backendClosed({ id }: { id: string }, repeatable: boolean): WslbError {
  const message = `backend ${id} was taken out of service`
  return new WslbError('WSLB_CLOSED', message, { retryAfter: 1, retryable: repeatable })
}

/** What waits for the answer of a backend that was declared down meanwhile. */
export function backendDown({ id }: { id: string }): WslbError {
  return new WslbError('WSLB_BACKEND_DOWN', `backend ${id} was declared down before it had answered`)
}

/** What was thrown, in words. Anything can be thrown, also what throws when it is looked at: this does not. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'something that cannot be shown'
  }
}

/** Where it was thrown, `undefined` where that is not known. Does not throw either. */
export function stackOf(thrown: unknown): string | undefined {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined
    return typeof stack === 'string' ? stack : undefined
  } catch {
    return undefined
  }
}

/** As `instanceof`, which a proxy can make throw. */
export function isWslbError(thrown: unknown): thrown is WslbError {
  try {
    return thrown instanceof WslbError
  } catch {
    return false
  }
}
