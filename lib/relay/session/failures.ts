import { WslbError } from '../../core/errors.ts'

/** The session has ended: what was under way may or may not have happened. */
export class SessionOver extends WslbError {
  constructor(message: string, cause?: unknown) {
    super('WSLB_RELAY_AWAY', message, { cause })
  }
}

/** The server has said no, and nothing has happened. */
export class Refused extends WslbError {
  /** First word of the server's answer: `NOREPLICAS`, `READONLY`, `OOM` … */
  readonly reason: string

  constructor(message: string) {
    super('WSLB_RELAY_REFUSED', message)
    this.reason = /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
  }
}
