import { type TunnelEvent } from '../core/events.ts'
import { type Tunnel } from './tunnel.ts'

/** What every event about a tunnel begins with. */
export function identityOf({ id, backend, route, request, openedAt, handshake }: Tunnel): TunnelEvent {
  return { id, backend: backend.id, pool: backend.pool, route, request, openedAt, handshake }
}
