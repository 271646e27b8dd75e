import { type Cancellable } from '../core/cancellable.ts'
import { type Clock, type Random, type Timer } from '../core/clock.ts'
import { type CloseCause } from '../core/events.ts'
import { type DrainOrder, inOrder } from './drain-order.ts'
import { type Tunnel } from './tunnel.ts'
import { type CloseReason } from './tunnel-options.ts'

export interface PacedClose extends CloseReason {
  readonly cause: CloseCause
  /** Milliseconds over which the Close frames are spread. */
  readonly over: number
  readonly order: DrainOrder
  /** Whether a tunnel whose moment has come is still to be closed. @default every one is */
  readonly still?: (tunnel: Tunnel) => boolean
  /**
   * What is open when the time is over: handshakes that were under way at the beginning. They are looked for from then on.
   * @default nobody comes late
   */
  readonly latecomers?: () => readonly Tunnel[]
}

/** How often to look for handshakes that were under way, once the time is over. */
const LATE = 250
/**
 * What a late timer makes up for at once: a quarter of a second's worth, so that a busy process keeps its pace. After a
 * longer stall the time that is left is shared out anew.
 */
const OWED = 250

/**
 * Closes tunnels evenly over a time: each has a slot of its own and a random moment in it, so that the clients neither
 * come back in one burst nor on a beat.
 * @param open the tunnels to be closed, the oldest first
 * @returns stops it; what is still open lives on
 */
export function closeAtPace(
  open: readonly Tunnel[],
  { cause, over, order, code, reason, still = () => true, latecomers }: PacedClose,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Cancellable {
  const tunnels = inOrder(open, order, random)
  const endsAt = clock.now() + over
  let slotEnd = clock.now()
  let next = 0
  let timer: Timer | undefined
  // Closing the last one may end the drain, and with it the pace, in the middle of a round.
  let stopped = false
  /** A moment in the slot of the next one. */
  const drawMoment = (): number => {
    const start = Math.max(slotEnd, clock.now() - OWED)
    const slot = Math.max(0, endsAt - start) / (tunnels.length - next)
    slotEnd = start + slot
    return start + random() * slot
  }
  const at = (moment: number, then: () => void) => {
    if (!stopped) timer = clock.schedule(Math.max(0, moment - clock.now()), then)
  }
  const closeDue = () => {
    let due: number
    // Slots can be shorter than any timer.
    do {
      const tunnel = tunnels[next++]!
      if (still(tunnel)) tunnel.close(cause, { code, reason })
      if (next === tunnels.length) return awaitLatecomers(endsAt)
      due = drawMoment()
    } while (due <= clock.now() && !stopped)
    at(due, closeDue)
  }
  const awaitLatecomers = (until: number) => {
    if (!latecomers) return
    at(until, () => {
      for (const tunnel of latecomers()) if (still(tunnel)) tunnel.close(cause, { code, reason })
      awaitLatecomers(clock.now() + LATE)
    })
  }
  if (tunnels.length > 0) at(drawMoment(), closeDue)
  else awaitLatecomers(endsAt)
  return {
    cancel: () => {
      stopped = true
      timer?.cancel()
    },
  }
}
