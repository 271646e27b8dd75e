import { type Owner, type Registry } from '../session/registry.ts'
import { type Duty } from './upkeep.ts'

export interface HoldContext {
  readonly nodeId: string
  /** Settles when this node hears of newer connections. */
  listening(): Promise<void>
  changed(hold: Hold): void
  /** The registry has been told that it is over. */
  ended(hold: Hold): void
  /** A connection that is no longer the one. */
  tell(clientId: string, previous: Owner, owner: Owner): void
}

/** One connection of a client to this node: as long as it is the newest one, the registry names it. */
export class Hold implements Duty {
  readonly clientId: string
  readonly #context: HoldContext
  readonly #onReplaced: (by: Owner) => void
  #owner: Owner | undefined
  #over = false

  constructor(clientId: string, onReplaced: (by: Owner) => void, context: HoldContext) {
    this.clientId = clientId
    this.#onReplaced = onReplaced
    this.#context = context
  }

  get connId(): string | undefined {
    return this.#owner?.connId
  }

  async settle(registry: Registry): Promise<void> {
    if (this.#over) return this.#release(registry)
    const context = this.#context
    await context.listening()
    if (this.#over) return
    const { owner, previous } = await registry.claim(this.clientId, context.nodeId, this.connId)
    if (this.connId !== undefined && owner.connId !== this.connId) return this.replaced(owner)
    this.#owner = owner
    if (previous) context.tell(this.clientId, previous, owner)
  }

  /** A newer connection is the one. */
  replaced(by: Owner): void {
    if (this.#over) return
    this.release()
    this.#onReplaced(by)
  }

  release(): void {
    if (this.#over) return
    this.#over = true
    this.#context.changed(this)
  }

  async #release(registry: Registry): Promise<void> {
    if (this.#owner) await registry.release(this.clientId, this.#owner)
    this.#context.ended(this)
  }
}
