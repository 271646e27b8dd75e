import { Socket } from 'node:net'
import { type Duplex } from 'node:stream'

/**
 * Ends a connection so that nobody can take what was sent for complete: RST on plain TCP; on TLS the missing
 * close_notify says the same (RFC 8446 §6.1).
 */
export function reset(socket: Duplex): void {
  const encrypted = 'encrypted' in socket
  if (socket instanceof Socket && !encrypted && !socket.destroyed) socket.resetAndDestroy()
  else socket.destroy()
}
