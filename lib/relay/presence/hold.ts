import { type Owner, type Registry } from '../session/registry.ts'
import { type Duty } from './upkeep.ts'

export interface HoldContext {
  readonly nodeId: string
  /** Settles when this node hears of newer connections. */
  listening(): Promise<void>
  /** Whether it is the newest one of its client on this node. */
  isNewest(hold: Hold): boolean
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
  /** A claim was not answered: it may have been heard. */
  #inDoubt = false
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
    this.#inDoubt = this.connId === undefined
    const { owner, previous } = await registry.claim(this.clientId, context.nodeId, this.connId)
    if (this.connId !== undefined && owner.connId !== this.connId) return this.replaced(owner)
    this.#owner = owner
    this.#inDoubt = false
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
    const owner = this.#inDoubt ? await this.#find(registry) : this.#owner
    if (owner) await registry.release(this.clientId, owner)
    this.#context.ended(this)
  }

  /** A newer one claims, or releases, the client itself. */
  async #find(registry: Registry): Promise<Owner | undefined> {
    if (!this.#context.isNewest(this)) return undefined
    const owner = await registry.locate(this.clientId)
    return owner?.nodeId === this.#context.nodeId && this.#context.isNewest(this) ? owner : undefined
  }
}
