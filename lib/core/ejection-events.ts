import { type BackendEvent } from './events.ts'

/** A backend whose traffic fails is given nothing new for a while, though its probe is well. */
export interface BackendEjectedEvent extends BackendEvent {
  /** What failed, e.g. `5 failures in a row, the last: connect ECONNREFUSED 127.0.0.1:3001`. */
  readonly reason: string
  /** In milliseconds since 1970. */
  readonly until: number
}

/** So few backends can be used that health counts for nothing, or enough again. */
export interface PoolPanicEvent {
  readonly pool: string
  /** Backends that are up and not ejected. */
  readonly usable: number
  /** Those that are to take new clients. */
  readonly members: number
}
