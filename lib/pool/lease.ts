import { type Backend } from '../core/backend.ts'
import { type CloseCause } from '../core/events.ts'
import { type Work } from '../health/outlier.ts'

/** The right to count on a backend: taken on pick, released exactly once. */
export class Lease {
  readonly backend: Backend
  /** `Set-Cookie` values that tie the client to the backend; empty when it is tied already. */
  readonly setCookies: readonly string[]
  /** When the backend takes the handshake: its token falls due then, by the clock. Past for who need not wait. */
  readonly tokenAt: number
  readonly work: Work
  /** The address of the client. */
  readonly client: string
  /** Its request has failed on another backend before. */
  readonly isRetry: boolean
  /** Ends at once whatever the lease is used for; set by whoever uses it. */
  onCut: ((cause: CloseCause) => void) | undefined
  /** The backend was declared down before it has answered, and others are up; set by whoever may go to another. */
  onDown: (() => void) | undefined
  #listener: LeaseListener | undefined
  #isAnswered = false

  constructor(
    backend: Backend,
    { setCookies = [], tokenAt = -Infinity, work = 'request', client = '', isRetry = false }: LeaseTerms,
    listener: LeaseListener,
  ) {
    this.backend = backend
    this.setCookies = setCookies
    this.tokenAt = tokenAt
    this.work = work
    this.client = client
    this.isRetry = isRetry
    this.#listener = listener
  }

  /** The backend has answered: the head of a response has come, a `101` among them. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** To be called when the head of the response has come. @param status a `101` too */
  answer(status: number): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#listener?.onAnswer(this, status)
  }

  /** @returns whether there was something to end */
  cut(cause: CloseCause): boolean {
    const { onCut } = this
    onCut?.(cause)
    return onCut !== undefined
  }

  /**
   * Gives the place back; calling it again does nothing.
   * @param error what went wrong, when something did: the backend's health hears of it if it is to blame
   */
  release(error?: unknown): void {
    const listener = this.#listener
    this.#listener = undefined
    listener?.onRelease(this, error)
  }
}

/** What is known of a lease when it is taken. */
export interface LeaseTerms {
  readonly setCookies?: readonly string[]
  readonly tokenAt?: number
  /** @default 'request' */
  readonly work?: Work
  readonly client?: string
  readonly isRetry?: boolean
}

/** Who keeps count of leases. */
export interface LeaseListener {
  readonly onAnswer: (lease: Lease, status: number) => void
  readonly onRelease: (lease: Lease, error: unknown) => void
}
