/** When a backend is taken out because its traffic fails, and for how long. All times in milliseconds. */
export interface EjectionOptions {
  /** Failures of one kind in a row that eject it. */
  readonly failures: number
  /** A WebSocket that its backend breaks off sooner than that after the `101` is a failure; `false`: none is. */
  readonly earlyClose: number | false
  /** The share of answers with a status of 500 or more that ejects it; `false`: none does. */
  readonly errors: ErrorShare | false
  /** The first time out; each one soon after another is twice as long. */
  readonly time: number
  readonly maxTime: number
  /** No more of the pool than that, rounded down. */
  readonly maxShare: number
}

export interface ErrorShare {
  readonly share: number
  /** Answers without which nothing is concluded. */
  readonly min: number
  readonly window: number
}

export const ERROR_SHARE_DEFAULTS: ErrorShare = { share: 0.5, min: 20, window: 10_000 }

export const EJECTION_DEFAULTS: EjectionOptions = {
  failures: 5,
  earlyClose: 5_000,
  errors: false,
  time: 10_000,
  maxTime: 300_000,
  maxShare: 0.5,
}
