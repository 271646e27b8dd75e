import { type Member, type Registry } from '../session/registry.ts'
import { type Notice } from './room-view.ts'
import { type Duty } from './upkeep.ts'

export interface StayContext {
  readonly nodeId: string
  /** What it should be is another now. */
  changed(stay: Stay): void
  /** It is no duty any more. */
  ended(stay: Stay): void
  /** Settles when everybody will hear of it. */
  tell(room: string, notice: Notice): Promise<unknown>
}

/** A client that this node has let into a room. */
export class Stay implements Duty {
  readonly room: string
  readonly clientId: string
  readonly #context: StayContext
  /** Who has let it in last. */
  #holder: unknown
  #info = ''
  /** Counts its joins: each is an entry of its own, and the newest wins over those on other nodes. */
  #joins = 0
  /** The number of the join that the entry stands for. */
  #entered = 0
  #entry: Member | undefined
  /** An entry was not answered: it may be there. */
  #inDoubt = false
  /** Of the entry that everybody will hear of. */
  #told = ''
  #over = false
  #waiting: (() => void)[] = []

  constructor(room: string, clientId: string, context: StayContext) {
    this.room = room
    this.clientId = clientId
    this.#context = context
  }

  /** Settles when the client is in the room and everybody will hear of it, or when it is to leave again. */
  join(info: string, holder: unknown): Promise<void> {
    this.#info = info
    this.#holder = holder
    this.#joins++
    this.#over = false
    return this.#change()
  }

  isHeldBy(holder: unknown): boolean {
    return this.#holder === holder
  }

  /** Settles when the registry does not have it any more. */
  leave(): Promise<void> {
    this.#over = true
    return this.#change()
  }

  async settle(registry: Registry): Promise<void> {
    await (this.#over ? this.#leave(registry) : this.#enter(registry))
  }

  #change(): Promise<void> {
    this.#answer()
    const settled = new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#context.changed(this)
    return settled
  }

  async #enter(registry: Registry): Promise<void> {
    const { room, clientId } = this
    const joins = this.#joins
    const again = joins === this.#entered ? this.#entry?.connId : undefined
    this.#inDoubt = true
    const entry = await registry.enter(room, clientId, this.#context.nodeId, this.#info, again)
    this.#inDoubt = false
    // In by a newer one, through another node.
    if (again !== undefined && entry.connId !== again) return this.#end()
    this.#entry = entry
    this.#entered = joins
    if (entry.at !== this.#told) await this.#context.tell(room, { entered: entry })
    this.#told = entry.at
    if (!this.#over && joins === this.#joins) this.#answer()
  }

  /** First it is told: if this node dies in between, the entry stays for another one to sweep. */
  async #leave(registry: Registry): Promise<void> {
    const { room, clientId } = this
    const entry = (this.#inDoubt && (await this.#find(registry))) || this.#entry
    if (entry) {
      await this.#context.tell(room, { left: { clientId, at: entry.at } })
      await registry.leave(room, clientId, entry)
    }
    this.#entry = undefined
    this.#inDoubt = false
    if (this.#over) this.#end()
  }

  async #find(registry: Registry): Promise<Member | undefined> {
    const { nodeId } = this.#context
    const members = await registry.members(this.room)
    return members.find((member) => member.clientId === this.clientId && member.nodeId === nodeId)
  }

  #end(): void {
    this.#context.ended(this)
    this.#answer()
  }

  #answer(): void {
    for (const settle of this.#waiting.splice(0)) settle()
  }
}
