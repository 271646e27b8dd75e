import { type Pushed } from '../session/entry.ts'
import { Directory } from './directory.ts'
import { MemoryLog } from './memory-log.ts'

/** Channels that are not worth a look at which of them are forgotten. */
const CROWD = 1_000

/** What the relays of one process share in place of a Redis. */
export class MemoryStore {
  readonly epoch: string
  readonly directory = new Directory()
  #begun = 0
  #crowd = CROWD
  readonly #logs = new Map<string, MemoryLog>()
  readonly #listeners = new Map<string, Set<(entry: Pushed) => void>>()

  constructor() {
    this.epoch = `0x${crypto.randomUUID().slice(-12)}`
  }

  /** @param now milliseconds, monotonic */
  log(channel: string, now: number): MemoryLog {
    let log = this.#logs.get(channel)
    if (!log && this.#logs.size >= this.#crowd) this.#forget(now)
    if (!log) this.#logs.set(channel, (log = new MemoryLog(`${this.epoch}.${++this.#begun}`)))
    return log
  }

  listen(channel: string, listener: (entry: Pushed) => void): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }

  unlisten(channel: string, listener: (entry: Pushed) => void): void {
    const listeners = this.#listeners.get(channel)
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel)
  }

  /** @returns the number of listeners */
  push(channel: string, entry: Pushed): number {
    const listeners = this.#listeners.get(channel)
    for (const listener of listeners ?? []) listener(entry)
    return listeners?.size ?? 0
  }

  listeners(channel: string): number {
    return this.#listeners.get(channel)?.size ?? 0
  }

  /** As when a Redis is wiped. */
  clear(): void {
    this.#logs.clear()
  }

  /** Channels that something is known of. */
  get size(): number {
    return this.#logs.size
  }

  /** What nobody may ask for any more. Not looked for again before there are twice as many. */
  #forget(now: number): void {
    for (const [channel, log] of this.#logs) if (log.forgotten(now)) this.#logs.delete(channel)
    this.#crowd = Math.max(CROWD, this.#logs.size * 2)
  }
}
