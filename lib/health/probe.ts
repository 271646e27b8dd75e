import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'

export interface ProbeContext {
  /** Aborts at the probe's timeout, and when the backend is removed. */
  readonly signal: AbortSignal
  /** Opens a fresh connection (TLS included) to the backend. */
  readonly dial: () => Promise<Duplex>
}

/**
 * Asks a backend how it is: settles when it is well, rejects with the reason when not.
 * A probe is a value: write a function next to `lb.config.ts` and give it as `health.probe`.
 */
export type Probe = (backend: Backend, context: ProbeContext) => Promise<void>
