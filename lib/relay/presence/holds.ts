import { type Message } from '../session/message.ts'
import { type Owner } from '../session/registry.ts'
import { type Bus, type Listening } from './bus.ts'
import { Hold, type HoldContext } from './hold.ts'
import { type Upkeep } from './upkeep.ts'

/** The clients that are connected to this node. */
export class Holds {
  readonly #nodeId: string
  readonly #bus: Bus
  readonly #upkeep: Upkeep
  readonly #context: HoldContext
  /** The newest one of each client. */
  readonly #newest = new Map<string, Hold>()
  /** What other nodes tell this one. */
  #inbox: Listening | undefined

  constructor(nodeId: string, bus: Bus, upkeep: Upkeep) {
    this.#nodeId = nodeId
    this.#bus = bus
    this.#upkeep = upkeep
    this.#context = {
      nodeId,
      listening: () => (this.#inbox ??= this.#listen()).ready,
      isNewest: (hold) => this.#newest.get(hold.clientId) === hold,
      changed: (hold) => upkeep.touch(hold),
      ended: (hold) => {
        upkeep.drop(hold)
        if (this.#newest.get(hold.clientId) === hold) this.#newest.delete(hold.clientId)
      },
      tell: (...told) => this.#tell(...told),
    }
  }

  hold(clientId: string, onReplaced: (by: Owner) => void): Hold {
    const hold = new Hold(clientId, onReplaced, this.#context)
    const before = this.#newest.get(clientId)
    this.#newest.set(clientId, hold)
    this.#upkeep.add(hold)
    before?.replaced({ nodeId: this.#nodeId, connId: hold.connId ?? '' })
    return hold
  }

  close(): void {
    this.#inbox?.close()
  }

  #tell(clientId: string, previous: Owner, owner: Owner): void {
    if (previous.nodeId === this.#nodeId) return
    const notice = { clientId, connId: previous.connId, by: { ...owner } }
    this.#bus.publish(inboxOf(previous.nodeId), notice, { ack: 'master' }).catch(() => {})
  }

  #listen(): Listening {
    // What was missed, the registry knows.
    return this.#bus.subscribe(
      inboxOf(this.#nodeId),
      (message) => this.#hear(message),
      () => this.#upkeep.redo(),
    )
  }

  #hear({ data }: Message): void {
    const { clientId, connId, by } = data as { clientId: string; connId: string; by: Owner }
    const hold = this.#newest.get(clientId)
    if (hold && hold.connId === connId) hold.replaced(by)
  }
}

function inboxOf(nodeId: string): string {
  return `@n:${nodeId}`
}
