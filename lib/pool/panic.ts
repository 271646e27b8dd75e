import { type Backend } from '../core/backend.ts'
import { type EventSink } from '../core/events.ts'
import { isOut } from './is-out.ts'

/**
 * When so many backends are gone that the others would go under, or that the probe is more likely to be wrong than they are,
 * nobody is spared: health and ejections count for nothing until enough of them are back.
 */
export class Panic {
  readonly #pool: string
  readonly #events: EventSink
  #isOn = false

  constructor(pool: string, events: EventSink) {
    this.#pool = pool
    this.#events = events
  }

  get isOn(): boolean {
    return this.#isOn
  }

  /** To be called whenever the members, or something of them, have changed. @param threshold 0: never */
  review(backends: Iterable<Backend>, threshold: number): void {
    let members = 0
    let usable = 0
    if (threshold > 0) {
      for (const backend of backends) {
        if (backend.adminState !== 'active' || backend.weight === 0) continue
        members++
        if (backend.health === 'up' && !isOut(backend)) usable++
      }
    }
    const isOn = usable < members * threshold
    if (isOn === this.#isOn) return
    this.#isOn = isOn
    this.#events.emit(isOn ? 'pool:panic' : 'pool:calm', { pool: this.#pool, usable, members })
  }
}
