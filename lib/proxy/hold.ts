import { type Backend } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { WslbError, balancerClosed } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Lease } from '../pool/lease.ts'
import { Hold, isBack } from '../pool/on-lost.ts'
import { type Pool } from '../pool/pool.ts'
import { type ProxyContext } from './context.ts'

/** A client that has not been answered yet. */
export interface Waiter {
  /** Aborts when it has left. */
  readonly gone: AbortSignal
  readonly hasLeft: boolean
  whenLeft(callback: () => void): Cancellable
}

/** A request that may be held; see `Pool.acquire`. */
export interface Holdable {
  readonly request: IncomingRequest
  readonly tried: Set<Backend> | undefined
  readonly maxWait: number | undefined
  readonly trace: { heldSince: number | undefined }
}

type Holder = Pick<ProxyContext, 'clock' | 'state'>

/**
 * A lease; at once, unless the client belongs to a backend that cannot serve, and the pool says to wait for it. A backend
 * that has failed this very request may be had again when it has come back meanwhile.
 */
export function acquireOrHold(
  pool: Pool,
  wanted: Holdable,
  holder: Holder,
  client: () => Waiter,
): Lease | Promise<Lease> {
  const { request, tried, maxWait } = wanted
  if (!pool.spec.onLost) return pool.acquire(request, tried, maxWait)
  const mayWait = holder.state === 'open' && !pool.holds.isFull
  const held = mayWait ? heldTime(wanted, holder) : undefined
  const found = pool.acquire(request, tried, maxWait, undefined, held)
  return found instanceof Hold ? heldFor(found, pool, wanted, holder, client()) : found
}

/** Whatever changes, the pool is asked anew: why the client has to wait may have changed as well, and for whom. */
function heldFor(first: Hold, pool: Pool, wanted: Holdable, holder: Holder, client: Waiter): Promise<Lease> {
  const { clock } = holder
  const { request, tried, maxWait, trace } = wanted
  trace.heldSince ??= clock.now()
  return new Promise((resolve, reject) => {
    let { backend } = first
    const look = (held: number | undefined) => {
      try {
        if (client.hasLeft) throw new WslbError('WSLB_CLIENT_GONE', 'the client left while it was held')
        if (holder.state !== 'open') throw balancerClosed()
        if (isBack(backend)) tried?.delete(backend)
        const found = pool.acquire(request, tried, maxWait, undefined, held)
        if (found instanceof Hold) return waitFor(found)
        end()
        resolve(found)
      } catch (error) {
        end()
        reject(error)
      }
    }
    const lookAgain = () => look(heldTime(wanted, holder))
    const waitFor = (hold: Hold) => {
      timer.cancel()
      timer = clock.schedule(hold.left, () => look(undefined))
      if (hold.backend === backend) return
      place.cancel()
      backend = hold.backend
      place = pool.holds.add(backend, lookAgain)
    }
    const end = () => {
      timer.cancel()
      place.cancel()
      leaving.cancel()
    }
    let timer = clock.schedule(first.left, () => look(undefined))
    let place = pool.holds.add(backend, lookAgain)
    const leaving = client.whenLeft(lookAgain)
    if (client.hasLeft) lookAgain()
  })
}

function heldTime({ trace: { heldSince } }: Holdable, { clock }: Holder): number {
  return heldSince === undefined ? 0 : clock.now() - heldSince
}
