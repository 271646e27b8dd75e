import { type TunnelConduct } from '../health/outliers.ts'
import { type Tunnel } from './tunnel.ts'
import { type TunnelEnd } from './tunnel-options.ts'

/** How a backend has treated a tunnel that is over. What the client began, or the balancer, is none of its doing. */
export function conductOf({ age, request }: Tunnel, end: TunnelEnd): TunnelConduct {
  const fault = end.closedBy === 'backend' ? faultOf(end) : undefined
  const isGraceful = end.closedBy !== 'balancer' && end.cause === 'normal'
  return { age, client: request.clientAddress, fault, isGraceful: isGraceful && fault === undefined }
}

/** It vanished without a Close, or its application failed (RFC 6455 §7.4.1). */
function faultOf({ cause, closeCodeOut }: TunnelEnd): string | undefined {
  if (cause === 'error') return 'a WebSocket broken off without a Close'
  return closeCodeOut === 1011 ? 'a WebSocket closed with 1011' : undefined
}
