import { type Duplex } from 'node:stream'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type CloseCause, type ClosedBy } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type MessageMode } from './message-mode.ts'
import { type Tunnel } from './tunnel.ts'

/** What a Close frame says (RFC 6455 §5.5.1). */
export interface CloseReason {
  readonly code: number
  /** Plain text, at most 123 bytes. */
  readonly reason: string
}

/** How a tunnel ended. */
export interface TunnelEnd {
  readonly closedBy: ClosedBy
  readonly cause: CloseCause
  /** Code of the Close frame of whoever closed first; 1006 when it left without one (RFC 6455 §7.1.5). */
  readonly closeCode: number
  /** Code of the Close frame that came from the client and from the backend; `undefined` when none did. */
  readonly closeCodeIn: number | undefined
  readonly closeCodeOut: number | undefined
  readonly error: Error | undefined
}

/** Times that a reload changes for open tunnels too. In milliseconds. */
export interface TunnelTimes {
  readonly ping: number | false
  readonly idleTimeout: number | false
  readonly maxAge: number | false
  /** For a peer to answer a Close of ours. */
  readonly closeTimeout: number
}

export interface TunnelOptions {
  readonly id: number
  readonly request: IncomingRequest
  readonly backend: Backend
  /** Name of the route that led here. */
  readonly route: string
  /** Milliseconds from the request head to the `101`. */
  readonly handshake: number
  readonly client: Duplex
  readonly upstream: Duplex
  readonly clock: Clock
  readonly random: Random
  /** The times of now. */
  readonly times: () => TunnelTimes
  /** Set on a route with `hooks.onMessage`. */
  readonly messages?: MessageMode | undefined
  /** Called exactly once, when both legs are closed. */
  readonly onEnd: (tunnel: Tunnel, end: TunnelEnd) => void
}
