import { type Backend } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { WslbError } from '../core/errors.ts'
import { isOut } from './is-out.ts'

/**
 * Why a client's own backend cannot serve it: `down` by its health, ejected, or because it failed this very request; `draining`
 * by the operator's wish; `full` at `maxConnections`, or busy with handshakes.
 */
export const LOST_CAUSES = ['down', 'draining', 'full'] as const
export type LostCause = (typeof LOST_CAUSES)[number]

/** `'rebalance'`: another backend. `'reject'`: 503. */
export const LOST_ENDS = ['rebalance', 'reject'] as const
export type LostEnd = (typeof LOST_ENDS)[number]

export interface LostAction {
  /** Milliseconds for which the client is held, in all, until its backend can serve; 0 for not at all. */
  readonly wait: number
  /** What then, or at once. */
  readonly then: LostEnd
}

/** What becomes of a client whose own backend cannot serve. */
export type OnLost = Readonly<Record<LostCause, LostAction>>

/** What a client is to wait for. */
export class Hold {
  readonly backend: Backend
  /** Milliseconds, at most. */
  readonly left: number

  constructor(backend: Backend, left: number) {
    this.backend = backend
    this.left = left
  }
}

/**
 * @param failed it has failed this very request
 * @param held milliseconds that the client has been held already; `undefined`: it cannot be, or not any more
 * @returns what to wait for; `undefined` when it is to go elsewhere
 * @throws WslbError `WSLB_BACKEND_LOST`
 */
export function whenLost(
  backend: Backend,
  failed: boolean,
  onLost: OnLost,
  held: number | undefined,
  retryAfter: number,
): Hold | undefined {
  const cause = causeOf(backend, failed)
  const { wait, then } = onLost[cause]
  if (held !== undefined && held < wait && isToldOf(backend)) return new Hold(backend, wait - held)
  if (then === 'rebalance') return undefined
  throw new WslbError(
    'WSLB_BACKEND_LOST',
    `backend ${backend.id}, to which the client belongs, is ${cause}`,
    {
      retryAfter: cause === 'full' ? 1 : retryAfter,
    },
  )
}

function causeOf(backend: Backend, failed: boolean): LostCause {
  if (backend.adminState !== 'active') return 'draining'
  return failed || isOut(backend) ? 'down' : 'full'
}

/** In service, and well as far as anybody has seen: also one that has failed may be tried anew. */
export function isBack(backend: Backend): boolean {
  return backend.adminState === 'active' && backend.health === 'up' && !isOut(backend)
}

/** Whether somebody will say when it can serve. Without a health loop nobody does of one that fails while it is up. */
function isToldOf(backend: Backend): boolean {
  return !isBack(backend) || backend.saturated
}

/** Clients that one pool holds at most. */
export const MOST_HELD = 10_000

/** Clients that are held until their backend can serve, those who came first before the others. */
export class Holds {
  readonly #held = new Map<Backend, Set<() => void>>()
  #count = 0

  /** Nobody else is held: whoever comes goes on as if the time were over. */
  get isFull(): boolean {
    return this.#count >= MOST_HELD
  }

  /** @param look called when something has changed: looks whether the backend can serve now, and cancels if so */
  add(backend: Backend, look: () => void): Cancellable {
    const looks = this.#held.get(backend) ?? new Set()
    this.#held.set(backend, looks.add(look))
    this.#count++
    backend.waiting++
    const cancel = () => {
      if (!looks.delete(look)) return
      if (looks.size === 0) this.#held.delete(backend)
      this.#count--
      backend.waiting--
    }
    return { cancel }
  }

  /** A place has become free. */
  wakeFirst(backend: Backend): void {
    if (this.#count === 0 || backend.saturated) return
    const [first] = this.#held.get(backend) ?? []
    first?.()
  }

  wake(backend: Backend): void {
    for (const look of [...(this.#held.get(backend) ?? [])]) look()
  }

  wakeAll(): void {
    for (const backend of [...this.#held.keys()]) this.wake(backend)
  }
}
