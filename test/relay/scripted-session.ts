import { type MemoryStore } from '../../lib/relay/memory/memory-store.ts'
import { type Appended, type Batch, type History, type Pushed } from '../../lib/relay/session/entry.ts'
import { Refused, SessionOver } from '../../lib/relay/session/failures.ts'
import { type Origin } from '../../lib/relay/session/position.ts'
import { type Registry } from '../../lib/relay/session/registry.ts'
import { type Session, type Slice } from '../../lib/relay/session/session.ts'
import { MemorySession } from '../../lib/relay/memory/memory-session.ts'
import { type Clock } from '../../lib/core/clock.ts'

/** A session over a store in memory that fails as it is told to. */
export class ScriptedSession implements Session {
  readonly epoch: string
  readonly address = 'scripted'
  readonly signal: AbortSignal
  readonly registry: Registry
  /** `channel: first–last` of each batch that was sent. */
  readonly sent: string[] = []
  reads = 0
  replicas = 0
  /** What is refused while it is set. */
  refusal: string | undefined
  /** A channel that is refused, for ever. */
  poison: string | undefined
  /** Appended, and its answer never comes. */
  swallows = false
  readonly #over = new AbortController()
  readonly #memory: MemorySession

  constructor(store: MemoryStore, clock: Clock, pushed: (channel: string, entry: Pushed) => void) {
    this.signal = this.#over.signal
    this.epoch = store.epoch
    const events = { pushed, begun: () => {}, trouble: () => {} }
    this.#memory = new MemorySession(store, clock, events, this.signal)
    this.registry = this.#memory.registry
  }

  end(): void {
    this.#over.abort(new SessionOver('ended by the test'))
    this.#memory.leave()
  }

  leaseLeft(): number {
    return Infinity
  }

  async append(channel: string, batch: Batch, history: History): Promise<Appended> {
    this.sent.push(`${channel}: ${batch.entries[0]!.seq}–${batch.entries.at(-1)!.seq}`)
    if (this.refusal) throw new Refused(this.refusal)
    const appended = await this.#memory.append(channel, batch, history)
    return this.swallows ? this.#untilOver() : appended
  }

  async push(channel: string, entry: Pushed): Promise<number> {
    if (this.refusal) throw new Refused(this.refusal)
    return this.#memory.push(channel, entry)
  }

  async read(channel: string, origin: Origin, limit: number): Promise<Slice> {
    this.reads++
    if (channel === this.poison) throw new Refused('WRONGTYPE')
    if (this.refusal) throw new Refused(this.refusal)
    return this.#memory.read(channel, origin, limit)
  }

  listen(channel: string): Promise<void> {
    return this.#memory.listen(channel)
  }

  unlisten(channel: string): Promise<void> {
    return this.#memory.unlisten(channel)
  }

  async confirm(): Promise<number> {
    return this.replicas
  }

  #untilOver(): Promise<never> {
    return new Promise((_resolve, reject) => {
      this.signal.addEventListener('abort', () => reject(this.signal.reason as SessionOver))
    })
  }
}
