import { type Backend } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { type CloseCause } from '../core/events.ts'
import { Lease, type LeaseTerms } from './lease.ts'

export interface LeasesOptions {
  /** A backend has become full, or is not any more. */
  readonly onFullness: (backend: Backend) => void
  readonly onAnswer: (lease: Lease, status: number) => void
  /** The load of a backend is another. */
  readonly onLoad: (backend: Backend) => void
  /** @param error what went wrong, when something did */
  readonly onRelease: (lease: Lease, error: unknown) => void
}

/** The leases on the backends of a pool: counts them, ends them, and knows who waits for the last one. */
export class Leases {
  readonly #options: LeasesOptions
  /** Backends that have left are in here too, as long as somebody knows them. */
  readonly #held = new WeakMap<Backend, Set<Lease>>()
  readonly #idle = new Map<Backend, Set<() => void>>()

  constructor(options: LeasesOptions) {
    this.#options = options
  }

  /** For the terms see {@link Lease}. */
  take(backend: Backend, terms: LeaseTerms): Lease {
    const lease = new Lease(backend, terms, this.#listener)
    const held = this.#held.get(backend)
    if (held) held.add(lease)
    else this.#held.set(backend, new Set([lease]))
    backend.load++
    this.#options.onLoad(backend)
    if (backend.saturated) this.#options.onFullness(backend)
    return lease
  }

  readonly #listener = {
    onAnswer: (lease: Lease, status: number) => this.#options.onAnswer(lease, status),
    onRelease: (lease: Lease, error: unknown) => this.#release(lease, error),
  }

  #release(lease: Lease, error: unknown): void {
    const { backend } = lease
    this.#held.get(backend)!.delete(lease)
    const wasFull = backend.saturated
    backend.load--
    if (wasFull) this.#options.onFullness(backend)
    this.#options.onLoad(backend)
    if (backend.load === 0) for (const onIdle of this.#idle.get(backend) ?? []) onIdle()
    this.#options.onRelease(lease, error)
  }

  /** Ends everything of ours that runs on a backend. @returns how much that was */
  cut(backend: Backend, cause: CloseCause): number {
    const held = [...(this.#held.get(backend) ?? [])]
    return held.filter((lease) => lease.cut(cause)).length
  }

  /** Tells whoever waits for an answer of a backend that it is not to be waited for. */
  giveUp(backend: Backend): void {
    const held = [...(this.#held.get(backend) ?? [])]
    for (const lease of held) if (!lease.isAnswered) lease.onDown?.()
  }

  /** Calls back once the backend has no lease left, at once if it has none. */
  whenIdle(backend: Backend, onIdle: () => void): Cancellable {
    const waiting = this.#idle.get(backend) ?? new Set()
    const cancel = () => {
      waiting.delete(once)
      if (waiting.size === 0) this.#idle.delete(backend)
    }
    const once = () => {
      cancel()
      onIdle()
    }
    this.#idle.set(backend, waiting.add(once))
    if (backend.load === 0) once()
    return { cancel }
  }
}
