import { type Probe } from './probe.ts'
import { withConnection } from './with-connection.ts'

/** Connects, TLS included, and closes: whether somebody listens, not whether the application answers. */
export function tcpProbe(): Probe {
  return (_backend, context) => withConnection(context, async () => {})
}
