import { type Clock } from '../../core/clock.ts'
import { SessionOver } from '../session/failures.ts'
import { type SessionEvents, type Transport } from '../session/session.ts'
import { MemorySession } from './memory-session.ts'
import { type MemoryStore } from './memory-store.ts'

/** Nodes of one process, joined by a store: one session that lasts. */
export class MemoryTransport implements Transport {
  readonly kind = 'memory'
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #session: MemorySession | undefined

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  open(events: SessionEvents): void {
    this.#session = new MemorySession(this.#store, this.#clock, events, this.#closing.signal)
    events.begun(this.#session)
  }

  async close(): Promise<void> {
    this.#closing.abort(new SessionOver('the relay is closed'))
    this.#session?.leave()
  }
}
