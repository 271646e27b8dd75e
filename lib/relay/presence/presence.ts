import { type Payload } from '../session/envelope.ts'
import { type Rooms, type Watcher } from './rooms.ts'

/** A client in a room. */
export interface PresenceMember {
  readonly clientId: string
  /** The node that it is connected to. */
  readonly nodeId: string
  /** What `join()` was given. */
  readonly info: Payload | undefined
}

export type PresenceListener = (member: PresenceMember) => void

/**
 * Who is in a room, on all nodes together. A client is in it once, by the newest `join()` of any node. What a node has
 * let in leaves when that node dies: it is told once, about 15 to 20 seconds later.
 */
export class Presence {
  readonly room: string
  readonly #rooms: Rooms
  readonly #watcher: Watcher = { join: new Set(), leave: new Set() }

  constructor(room: string, rooms: Rooms) {
    this.room = room
    this.#rooms = rooms
  }

  /**
   * Settles when the client is in the list and every listener will hear of it. While Redis is away it waits, for half a
   * minute at most.
   * @param info JSON of at most 8 KiB
   * @throws TypeError for what JSON cannot hold; ConfigError without a client id
   * @throws WslbError `WSLB_RELAY_AWAY` when the wait was in vain: the client is not in; `WSLB_RELAY_TOO_LARGE`; `WSLB_CLOSED`
   */
  join(clientId: string, info?: Payload): Promise<void> {
    return this.#rooms.join(this.room, clientId, info)
  }

  /**
   * A client that this node has let in; of others it knows nothing. Settles as {@link join} does.
   * @throws WslbError `WSLB_RELAY_AWAY` when the wait was in vain: it leaves as soon as Redis is back; `WSLB_CLOSED`
   */
  leave(clientId: string): Promise<void> {
    return this.#rooms.leave(this.room, clientId)
  }

  /** @throws WslbError `WSLB_RELAY_AWAY` when there is no master for half a minute; `WSLB_CLOSED` */
  list(): Promise<PresenceMember[]> {
    return this.#rooms.list(this.room)
  }

  /** Settles when whatever happens from then on is told to the listeners. */
  get ready(): Promise<void> {
    return this.#rooms.watching(this.room)
  }

  /** A client that was not in the room is, or one that was is no longer. */
  on(event: 'join' | 'leave', listener: PresenceListener): this {
    this.#watcher[event].add(listener)
    this.#rooms.watch(this.room, this.#watcher)
    return this
  }

  off(event: 'join' | 'leave', listener: PresenceListener): this {
    this.#watcher[event].delete(listener)
    if (this.#watcher.join.size + this.#watcher.leave.size === 0)
      this.#rooms.unwatch(this.room, this.#watcher)
    return this
  }

  /** No listener is called any more. Whoever has joined stays. */
  close(): void {
    this.#watcher.join.clear()
    this.#watcher.leave.clear()
    this.#rooms.unwatch(this.room, this.#watcher)
  }
}
