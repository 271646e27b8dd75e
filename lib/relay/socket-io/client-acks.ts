import { type Clock, type Timer } from '../../core/clock.ts'
import { type HostNamespace } from './namespace.ts'

/** Answers that clients still owe to broadcasts: nobody waits for one after its time, so nothing of it stays. */
export class ClientAcks {
  readonly #host: HostNamespace
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()

  constructor(host: HostNamespace, clock: Clock) {
    this.#host = host
    this.#clock = clock
  }

  /** @param id of the packet, in this server. @param after milliseconds */
  expire(id: number | undefined, after: number): void {
    if (id === undefined) return
    const timer = this.#clock.schedule(after, () => {
      this.#timers.delete(timer)
      for (const { acks } of this.#host.sockets.values()) acks.delete(id)
    })
    this.#timers.add(timer)
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
