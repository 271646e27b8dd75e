import { setMaxListeners } from 'node:events'
import { type Clock, type Random } from '../../core/clock.ts'
import { type WslbError } from '../../core/errors.ts'
import { type Owner } from '../session/registry.ts'
import { type Session } from '../session/session.ts'
import { type Bus } from './bus.ts'
import { Heartbeat } from './heartbeat.ts'
import { type Hold } from './hold.ts'
import { Holds } from './holds.ts'
import { Inquiry } from './inquiry.ts'
import { Presence } from './presence.ts'
import { Rooms } from './rooms.ts'
import { Upkeep } from './upkeep.ts'

export interface AttendanceOptions {
  readonly nodeId: string
  readonly clock: Clock
  readonly random: Random
  readonly bus: Bus
}

/** Who is connected where, as one node sees it and lets the others know. */
export class Attendance {
  readonly rooms: Rooms
  readonly #nodeId: string
  readonly #closed = new AbortController()
  readonly #inquiry: Inquiry
  readonly #upkeep = new Upkeep()
  readonly #heartbeat: Heartbeat
  readonly #holds: Holds
  #session: Session | undefined

  constructor({ nodeId, clock, random, bus }: AttendanceOptions) {
    const closed = this.#closed.signal
    // One for each call that waits.
    setMaxListeners(0, closed)
    this.#nodeId = nodeId
    this.#inquiry = new Inquiry(clock, closed)
    this.#holds = new Holds(nodeId, bus, this.#upkeep)
    this.rooms = new Rooms({ nodeId, clock, closed, bus, inquiry: this.#inquiry, upkeep: this.#upkeep })
    this.#heartbeat = new Heartbeat({
      nodeId,
      clock,
      random,
      closed,
      begun: (session) => this.#upkeep.begin(session),
      lapsed: () => this.#upkeep.redo(),
      beaten: () => this.#upkeep.retry(),
      tell: (orphan) => this.rooms.tell(orphan),
    })
  }

  /** Epoch → how many nodes, this one included, said last that they are on it. */
  get epochs(): Record<string, number> {
    const counts = new Map<string, number>()
    for (const { epoch } of this.#heartbeat.peers) counts.set(epoch, (counts.get(epoch) ?? 0) + 1)
    return Object.fromEntries(counts)
  }

  begin(session: Session): void {
    this.#session = session
    setMaxListeners(0, session.signal)
    this.#inquiry.begin(session)
    void this.#heartbeat.run(session)
  }

  presence(room: string): Presence {
    return new Presence(room, this.rooms)
  }

  locate(clientId: string): Promise<Owner | undefined> {
    return this.#inquiry.ask((registry) => registry.locate(clientId))
  }

  /** A client is connected to this node, until the hold is released or a newer connection is the one. */
  hold(clientId: string, onReplaced: (by: Owner) => void): Hold {
    this.#closed.signal.throwIfAborted()
    return this.#holds.hold(clientId, onReplaced)
  }

  /** The others may sweep what this node has. @param reason what calls reject with from now on */
  async close(reason: WslbError): Promise<void> {
    this.#closed.abort(reason)
    this.#upkeep.close()
    this.#holds.close()
    this.rooms.close()
    const session = this.#session
    if (session && !session.signal.aborted) await session.registry.retire(this.#nodeId).catch(() => {})
  }
}
