import { type ErrorCode } from './errors.ts'

/** A backend that failed a request which another one was given then. */
export interface Retry {
  /** Id of the backend. */
  readonly backend: string
  /** What went wrong there. */
  readonly code: ErrorCode
}

/** The backends that a request was given to. */
export interface Attempted {
  /** Backends tried; 0 when it was answered before one was chosen. */
  readonly attempts: number
  /** Those that failed it before the last one, in order; empty nearly always. */
  readonly retries: readonly Retry[]
  /** Set when it could have been tried once more, but `retryBudget` was used up. */
  readonly noRetry: 'budget' | undefined
}
