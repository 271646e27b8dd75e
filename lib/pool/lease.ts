import { type Backend } from '../core/backend.ts'
import { type CloseCause } from '../core/events.ts'

/** The right to count on a backend: taken on pick, released exactly once. */
export class Lease {
  readonly backend: Backend
  /** `Set-Cookie` values that tie the client to the backend; empty when it is tied already. */
  readonly setCookies: readonly string[]
  /** When the backend takes the handshake: its token falls due then, by the clock. Past for who need not wait. */
  readonly tokenAt: number
  /** Ends at once whatever the lease is used for; set by whoever uses it. */
  onCut: ((cause: CloseCause) => void) | undefined
  #isCut = false
  #onRelease: ((lease: Lease, error: unknown) => void) | undefined

  constructor(
    backend: Backend,
    setCookies: readonly string[],
    tokenAt: number,
    onRelease: (lease: Lease, error: unknown) => void,
  ) {
    this.backend = backend
    this.setCookies = setCookies
    this.tokenAt = tokenAt
    this.#onRelease = onRelease
  }

  /** The deadline of a drain has come; nothing new may begin under this lease. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** @returns whether there was something to end */
  cut(cause: CloseCause): boolean {
    const { onCut } = this
    this.#isCut = true
    onCut?.(cause)
    return onCut !== undefined
  }

  /**
   * Gives the place back; calling it again does nothing.
   * @param error what went wrong, when something did: the backend's health hears of it if it is to blame
   */
  release(error?: unknown): void {
    const onRelease = this.#onRelease
    this.#onRelease = undefined
    onRelease?.(this, error)
  }
}
