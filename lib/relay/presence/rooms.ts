import { type Clock } from '../../core/clock.ts'
import { WslbError } from '../../core/errors.ts'
import { sleep } from '../../core/sleep.ts'
import { untilAborted } from '../../core/until-aborted.ts'
import { type Payload } from '../session/envelope.ts'
import { named } from '../session/names.ts'
import { type Orphan } from '../session/registry.ts'
import { type Bus } from './bus.ts'
import { type Inquiry, PATIENCE } from './inquiry.ts'
import { type PresenceListener, type PresenceMember } from './presence.ts'
import { type Notice } from './room-view.ts'
import { RoomWatch } from './room-watch.ts'
import { Stay, type StayContext } from './stay.ts'
import { type Upkeep } from './upkeep.ts'

/** The listeners of one who watches a room. */
export interface Watcher {
  readonly join: Set<PresenceListener>
  readonly leave: Set<PresenceListener>
}

export interface RoomsContext {
  readonly nodeId: string
  readonly clock: Clock
  readonly closed: AbortSignal
  readonly bus: Bus
  readonly inquiry: Inquiry
  readonly upkeep: Upkeep
}

/** Bytes. */
const LARGEST_INFO = 8192

/** The rooms that this node has something to do with. */
export class Rooms {
  readonly #context: RoomsContext
  readonly #stayContext: StayContext
  /** By room and client. */
  readonly #stays = new Map<string, Map<string, Stay>>()
  readonly #watches = new Map<string, RoomWatch>()

  constructor(context: RoomsContext) {
    const { nodeId, bus, upkeep } = context
    this.#context = context
    this.#stayContext = {
      nodeId,
      changed: (stay) => upkeep.add(stay),
      ended: (stay) => this.#remove(stay),
      tell: (room, notice) => tell(bus, room, notice),
    }
  }

  /** @param holder who alone may take it out again, see {@link leave} */
  async join(room: string, clientId: string, info: Payload | undefined, holder?: object): Promise<void> {
    named('clientId', clientId)
    const json = info === undefined ? '' : textOf(info)
    this.#context.closed.throwIfAborted()
    const stays = this.#stays.get(room) ?? new Map<string, Stay>()
    this.#stays.set(room, stays)
    const stay = stays.get(clientId) ?? new Stay(room, clientId, this.#stayContext)
    stays.set(clientId, stay)
    try {
      await this.#patiently(stay.join(json, holder))
    } catch (error) {
      if (stay.isHeldBy(holder)) void stay.leave()
      throw error
    }
  }

  /** @param holder nothing happens if somebody else has let the client in meanwhile */
  async leave(room: string, clientId: string, holder?: object): Promise<void> {
    this.#context.closed.throwIfAborted()
    const stay = this.#stays.get(room)?.get(clientId)
    if (stay && (!holder || stay.isHeldBy(holder))) await this.#patiently(stay.leave())
  }

  async list(room: string): Promise<PresenceMember[]> {
    const members = await this.#context.inquiry.ask((registry) => registry.members(room))
    return members.map(({ clientId, nodeId, info }) => ({ clientId, nodeId, info: valueOf(info) }))
  }

  watch(room: string, watcher: Watcher): void {
    this.#context.closed.throwIfAborted()
    const watch = this.#watches.get(room) ?? new RoomWatch(room, channelOf(room), this.#context)
    this.#watches.set(room, watch)
    watch.watchers.add(watcher)
  }

  unwatch(room: string, watcher: Watcher): void {
    const watch = this.#watches.get(room)
    if (!watch?.watchers.delete(watcher) || watch.watchers.size > 0) return
    this.#watches.delete(room)
    watch.close()
  }

  async watching(room: string): Promise<void> {
    await this.#watches.get(room)?.ready
  }

  /** That a client has left since its node died. */
  tell({ room, clientId, at }: Orphan): Promise<unknown> {
    return tell(this.#context.bus, room, { left: { clientId, at } })
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close()
    this.#watches.clear()
  }

  #remove(stay: Stay): void {
    this.#context.upkeep.drop(stay)
    const stays = this.#stays.get(stay.room)
    if (stays?.get(stay.clientId) !== stay) return
    stays.delete(stay.clientId)
    if (stays.size === 0) this.#stays.delete(stay.room)
  }

  async #patiently(work: Promise<void>): Promise<void> {
    const { clock, closed } = this.#context
    const done = new AbortController()
    const limit = sleep(PATIENCE, clock, done.signal).then(() => {
      throw new WslbError('WSLB_RELAY_AWAY', `the registry could not be told for ${PATIENCE / 1_000} s`)
    })
    try {
      await untilAborted(Promise.race([work, limit]), closed)
    } finally {
      limit.catch(() => {})
      done.abort()
    }
  }
}

export function valueOf(info: string): Payload | undefined {
  return info === '' ? undefined : (JSON.parse(info) as Payload)
}

function channelOf(room: string): string {
  return `@p:${room}`
}

/** Under a key of its own, so that it is told once although several nodes have found it. */
function tell(bus: Bus, room: string, notice: Notice): Promise<unknown> {
  const id = 'left' in notice ? `left:${notice.left.at}` : `entered:${notice.entered.at}`
  return bus.publish(channelOf(room), notice, { id, ack: 'master' })
}

function textOf(info: Payload): string {
  const json: string | undefined = JSON.stringify(info)
  if (json === undefined) throw new TypeError(`${typeof info} is no info: JSON is`)
  if (Buffer.byteLength(json) <= LARGEST_INFO) return json
  throw new WslbError('WSLB_RELAY_TOO_LARGE', `the info of a client may have ${LARGEST_INFO} bytes`)
}
