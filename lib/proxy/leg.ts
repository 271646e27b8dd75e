import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { Flow } from './flow.ts'
import { Pulse } from './pulse.ts'

/** One side of a tunnel: its socket, and what it sends. */
export interface Leg {
  readonly name: 'client' | 'backend'
  readonly socket: Duplex
  readonly sends: Flow
  readonly pulse: Pulse
  closed: boolean
}

/** The two sides of a tunnel, each sending to the other. */
export function legsOf(client: Duplex, upstream: Duplex, clock: Clock): { client: Leg; upstream: Leg } {
  const inward = new Flow(client, upstream, clock)
  const outward = new Flow(upstream, client, clock)
  const leg = (name: Leg['name'], socket: Duplex, sends: Flow, receives: Flow): Leg => {
    const pulse = new Pulse({ socket, sends, receives, masked: name === 'backend', clock })
    return { name, socket, sends, pulse, closed: false }
  }
  return {
    client: leg('client', client, inward, outward),
    upstream: leg('backend', upstream, outward, inward),
  }
}
