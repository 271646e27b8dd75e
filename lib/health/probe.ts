import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'

export interface ProbeContext {
  /** Aborts at the probe's timeout, and when the backend is removed. */
  readonly signal: AbortSignal
  /** Opens a fresh connection to the backend, TLS included; with `health.port` to that port, without TLS. */
  readonly dial: () => Promise<Duplex>
  /** Where `dial` leads, for a `Host` header: `10.0.0.1:3000`. */
  readonly host: string
  /** Time as the balancer has it, for waits of the probe's own. */
  readonly clock: Clock
}

/**
 * Asks a backend how it is: settles when it is well, rejects with the reason when not.
 * A probe is a value: write a function next to `lb.config.ts` and give it as `health.probe`.
 */
export type Probe = (backend: Backend, context: ProbeContext) => Promise<void>
