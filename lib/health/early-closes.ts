import { Run } from './run.ts'

/** An open WebSocket, as a witness. */
export interface OpenTunnel {
  /** Milliseconds since the `101`. */
  readonly age: number
  /** Milliseconds since something of a message came from the backend, at first since the `101`. */
  readonly backendIdle: number
  readonly ending: boolean
}

/** WebSockets that a backend has broken off early, one after the other. */
export class EarlyCloses {
  readonly run = new Run()
  /** When the first of them was opened, by the clock. */
  #since = 0
  /** How long the longest of them lived. */
  #longest = 0

  add(network: string, age: number, now: number, reason: string): void {
    if (this.run.hasLapsed(now)) this.run.clear()
    if (this.run.count === 0) {
      this.#since = now - age
      this.#longest = 0
    }
    this.#longest = Math.max(this.#longest, age)
    this.run.add(now, reason, network)
  }

  /** A WebSocket was kept, or closed as it should be. One from before the first failure says nothing of now. */
  held(openedAt: number): void {
    if (openedAt > this.#since) this.run.clear()
  }

  /**
   * Whether it is to be ejected for them. One WebSocket that was opened since, and has outlived them all, clears it. Older ones
   * that it has sent messages since speak for it as long as they are as many as the networks whose WebSockets it broke off:
   * a few clients that have themselves thrown out do not outvote those who are well there.
   */
  convict(failures: number, witnesses: () => readonly OpenTunnel[], now: number): boolean {
    if (!this.run.convicts(failures)) return false
    let served = 0
    for (const { age, backendIdle, ending } of witnesses()) {
      if (ending || age <= this.#longest) continue
      if (now - age > this.#since) {
        this.run.clear()
        return false
      }
      if (now - backendIdle > this.#since) served++
    }
    return served < this.run.networks
  }
}
