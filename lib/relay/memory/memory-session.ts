import { type Clock } from '../../core/clock.ts'
import { type Appended, type Batch, type Entry, type History, type Pushed } from '../session/entry.ts'
import { type Origin } from '../session/position.ts'
import { type Registry } from '../session/registry.ts'
import { type Session, type SessionEvents, type Slice } from '../session/session.ts'
import { MemoryRegistry } from './memory-registry.ts'
import { type MemoryStore } from './memory-store.ts'

/** The one session of a relay without Redis: it lasts as long as the relay. */
export class MemorySession implements Session {
  readonly address = 'memory'
  readonly epoch: string
  readonly signal: AbortSignal
  readonly registry: Registry
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #events: SessionEvents
  readonly #listeners = new Map<string, (entry: Pushed) => void>()

  constructor(store: MemoryStore, clock: Clock, events: SessionEvents, signal: AbortSignal) {
    this.epoch = store.epoch
    this.signal = signal
    this.registry = new MemoryRegistry(store.directory, clock, signal)
    this.#store = store
    this.#clock = clock
    this.#events = events
  }

  leaseLeft(): number {
    return Infinity
  }

  async append(channel: string, batch: Batch, history: History): Promise<Appended> {
    this.signal.throwIfAborted()
    const now = this.#clock.now()
    const log = this.#store.log(channel, now)
    const push = (entry: Entry) => this.#store.push(channel, { ...entry, epoch: log.epoch })
    return log.append(batch, history, now, push)
  }

  async push(channel: string, { pid, seq, body }: Omit<Entry, 'offset'>): Promise<number> {
    this.signal.throwIfAborted()
    return this.#store.push(channel, { epoch: this.epoch, offset: 0, pid, seq, body })
  }

  async read(channel: string, origin: Origin, limit: number): Promise<Slice> {
    this.signal.throwIfAborted()
    const now = this.#clock.now()
    const log = this.#store.log(channel, now)
    const { epoch } = log
    const slice = { epoch, chain: [{ epoch, offset: 0 }], top: log.top }
    if (origin === 'now') return { ...slice, after: log.top, gap: undefined, entries: [] }
    const mark =
      origin === 'start' ? { epoch, offset: log.begin(now) } : origin.find((mark) => mark.epoch === epoch)
    if (!mark || mark.offset > log.top) {
      const gap = { from: 0, to: 0, reason: 'unknown-epoch' } as const
      return { ...slice, after: log.begin(now), gap, entries: log.after(log.begin(now), limit, now).entries }
    }
    return { ...slice, after: mark.offset, ...log.after(mark.offset, limit, now) }
  }

  async listen(channel: string): Promise<void> {
    this.signal.throwIfAborted()
    if (this.#listeners.has(channel)) return
    // Whoever publishes does not meet its listeners inside the call.
    const listener = (entry: Pushed) =>
      queueMicrotask(() => {
        if (this.#listeners.get(channel) === listener) this.#events.pushed(channel, entry)
      })
    this.#listeners.set(channel, listener)
    this.#store.listen(channel, listener)
  }

  async unlisten(channel: string): Promise<void> {
    const listener = this.#listeners.get(channel)
    this.#listeners.delete(channel)
    if (listener) this.#store.unlisten(channel, listener)
  }

  async confirm(): Promise<number> {
    this.signal.throwIfAborted()
    return 0
  }

  leave(): void {
    for (const channel of [...this.#listeners.keys()]) void this.unlisten(channel)
  }
}
