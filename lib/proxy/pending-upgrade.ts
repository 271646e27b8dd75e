import { type Trace } from './attempt.ts'
import { type PendingClient } from './pending-client.ts'

/** One upgrade that has not been answered yet. */
export interface PendingUpgrade extends Trace {
  readonly client: PendingClient
  /** Milliseconds that it has waited for tokens, in all attempts. */
  waited: number
}
