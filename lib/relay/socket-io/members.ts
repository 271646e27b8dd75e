import { isWslbError } from '../../core/errors.ts'
import { type Presence } from '../presence/presence.ts'
import { type Relay } from '../relay-types.ts'

/** The adapters of one namespace that are alive, as the relay's presence knows them. */
export class Members {
  readonly #presence: Presence
  readonly #uid: string
  readonly #left: (uid: string) => void
  #asked: Promise<ReadonlySet<string>> | undefined
  #closed = false

  /** @param left told of an adapter that was closed, or whose node has died */
  constructor(relay: Relay, channel: string, uid: string, left: (uid: string) => void) {
    this.#presence = relay.presence(channel)
    this.#uid = uid
    this.#left = left
  }

  /** From then on the others wait for this one's answers, unless it has left before. @throws WslbError `WSLB_CLOSED` when the relay is closed */
  async join(): Promise<void> {
    if (this.#closed) return
    this.#presence.on('leave', ({ clientId }) => this.#left(clientId))
    while (!this.#closed) {
      try {
        return await this.#presence.join(this.#uid)
      } catch (error) {
        if (!isWslbError(error) || error.code !== 'WSLB_RELAY_AWAY') throw error
      }
    }
  }

  /** Those beside this one. */
  async others(): Promise<ReadonlySet<string>> {
    const others = new Set(await this.all())
    others.delete(this.#uid)
    return others
  }

  /** The same for all who ask in one turn of the event loop. Where the relay cannot tell: this one. */
  all(): Promise<ReadonlySet<string>> {
    if (!this.#asked) {
      this.#asked = this.#list()
      queueMicrotask(() => (this.#asked = undefined))
    }
    return this.#asked
  }

  /** Settles when the others know. */
  async leave(): Promise<void> {
    this.#closed = true
    this.#presence.close()
    await this.#presence.leave(this.#uid)
  }

  async #list(): Promise<ReadonlySet<string>> {
    const members = await this.#presence.list().catch(() => [])
    return new Set([this.#uid, ...members.map(({ clientId }) => clientId)])
  }
}
