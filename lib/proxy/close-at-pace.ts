import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type CloseCause } from '../core/events.ts'
import { type DrainOrder, inOrder } from './drain-order.ts'
import { type CloseReason, type Tunnel } from './tunnel.ts'

export interface PacedClose extends CloseReason {
  readonly cause: CloseCause
  /** Milliseconds over which the Close frames are spread. */
  readonly over: number
  readonly order: DrainOrder
}

/** How often to look for handshakes that were under way, once the time is over. */
const LATE = 250

/**
 * Closes tunnels evenly over a time: each has a slot of its own and a random moment in it, so that the clients neither
 * come back in one burst nor on a beat. Handshakes that were under way at the beginning are closed at the end.
 * @param open the tunnels that are open when it is called, the oldest first
 * @returns stops it; what is still open lives on
 */
export function closeAtPace(
  open: () => readonly Tunnel[],
  { cause, over, order, code, reason }: PacedClose,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Timer {
  const tunnels = inOrder(open(), order, random)
  const slot = over / tunnels.length
  const startedAt = clock.now()
  let next = 0
  let timer: Timer
  const close = () => {
    tunnels[next++]!.close(cause, { code, reason })
    schedule()
  }
  const closeLatecomers = () => {
    for (const tunnel of open()) tunnel.close(cause, { code, reason })
    timer = clock.schedule(LATE, closeLatecomers)
  }
  const schedule = () => {
    const due = startedAt + (next < tunnels.length ? (next + random()) * slot : over)
    timer = clock.schedule(Math.max(0, due - clock.now()), next < tunnels.length ? close : closeLatecomers)
  }
  schedule()
  return { cancel: () => timer.cancel() }
}
