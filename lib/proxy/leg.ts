import { type Duplex } from 'node:stream'
import { type Clock } from '../core/clock.ts'
import { type Flow } from './flow.ts'
import { FrameFlow } from './frame-flow.ts'
import { MessageFlow } from './message-flow.ts'
import { type MessageMode } from './message-mode.ts'
import { type MessageStop } from './message-stop.ts'
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
export interface Legs {
  readonly client: Leg
  readonly upstream: Leg
}

/** What a tunnel in message mode is told by its flows. */
export interface LegMessages {
  readonly mode: MessageMode
  /** Something of the first leg has gone on to the second later than it came. */
  readonly onProgress: (from: Leg, to: Leg) => void
  readonly onStop: (stop: MessageStop) => void
}

/** @param messages on a route with `hooks.onMessage` */
export function legsOf(client: Duplex, upstream: Duplex, clock: Clock, messages?: LegMessages): Legs {
  const flow = (sender: Leg['name'], from: Duplex, to: Duplex): Flow => {
    if (!messages?.mode.ruleFor(sender)) return new FrameFlow(from, to, clock)
    const { mode, onProgress, onStop } = messages
    const own = () => (sender === 'client' ? legs.client : legs.upstream)
    const other = () => (sender === 'client' ? legs.upstream : legs.client)
    const back = () => other().sends
    return new MessageFlow({
      ...{ sender, from, to, clock, mode, back, onStop },
      onProgress: () => onProgress(own(), other()),
    })
  }
  const leg = (name: Leg['name'], socket: Duplex, sends: Flow, receives: Flow): Leg => {
    const pulse = new Pulse({ socket, sends, receives, masked: name === 'backend', clock })
    return { name, socket, sends, pulse, closed: false }
  }
  const inward = flow('client', client, upstream)
  const outward = flow('backend', upstream, client)
  const legs: Legs = {
    client: leg('client', client, inward, outward),
    upstream: leg('backend', upstream, outward, inward),
  }
  return legs
}
