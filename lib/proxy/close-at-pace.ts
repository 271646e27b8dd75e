import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type CloseCause } from '../core/events.ts'
import { type CloseReason, type Tunnel } from './tunnel.ts'

export interface PacedClose extends CloseReason {
  readonly cause: CloseCause
  /** Milliseconds over which the Close frames are spread. */
  readonly over: number
}

/**
 * Closes tunnels evenly over a time: each has a slot of its own and a random moment in it, so that the clients neither
 * come back in one burst nor on a beat. Handshakes that were under way at the beginning are closed at the end.
 * @param open the tunnels that are open when it is called
 * @returns stops it; what is still open lives on
 */
export function closeAtPace(
  open: () => readonly Tunnel[],
  { cause, over, ...reason }: PacedClose,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Timer {
  const tunnels = open()
  const slot = over / tunnels.length
  const startedAt = clock.now()
  let next = 0
  let timer: Timer
  const close = () => {
    tunnels[next++]!.close(cause, reason)
    schedule()
  }
  const closeLatecomers = () => {
    for (const tunnel of open()) tunnel.close(cause, reason)
  }
  const schedule = () => {
    const due = startedAt + (next < tunnels.length ? (next + random()) * slot : over)
    timer = clock.schedule(Math.max(0, due - clock.now()), next < tunnels.length ? close : closeLatecomers)
  }
  schedule()
  return { cancel: () => timer.cancel() }
}
