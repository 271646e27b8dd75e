import { systemClock } from '../../core/clock.ts'
import { type Relay } from '../relay-types.ts'
import { type HostNamespace } from './namespace.ts'
import { type AdapterOptions } from './options.ts'
import { RelayAdapter } from './relay-adapter.ts'

/**
 * Joins Socket.IO servers: `new Server({ adapter: createAdapter(relay) })` on each of them. One relay serves all namespaces
 * of a server, and may serve other things too; closing it is left to who created it.
 */
export function createAdapter(
  relay: Relay,
  options: AdapterOptions = {},
): (namespace: unknown) => RelayAdapter {
  const { prefix = 'socket.io', history, requestTimeout = 5_000, onGap, log, clock = systemClock } = options
  // Called with `new`, which an arrow function does not bear.
  return function (namespace: unknown): RelayAdapter {
    const { server } = namespace as HostNamespace
    const away = server.opts.connectionStateRecovery?.maxDisconnectionDuration
    return new RelayAdapter(namespace as HostNamespace, relay, {
      prefix,
      history: { length: history?.length ?? 10_000, ttlMs: Math.max(history?.ttlMs ?? 120_000, away ?? 0) },
      requestTimeout,
      away,
      onGap: onGap ?? (away === undefined ? 'keep' : 'reconnect'),
      log,
      clock,
    })
  }
}
