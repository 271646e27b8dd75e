import { sleep } from '../../core/sleep.ts'
import { guarded } from '../session/guarded.ts'
import { type Message } from '../session/message.ts'
import { type Member } from '../session/registry.ts'
import { type Listening } from './bus.ts'
import { LEASE } from './heartbeat.ts'
import { type Notice, RoomView } from './room-view.ts'
import { type RoomsContext, type Watcher, valueOf } from './rooms.ts'

/** Follows one room for those on this node who want to hear of it. */
export class RoomWatch {
  readonly watchers = new Set<Watcher>()
  readonly ready: Promise<void>
  readonly #room: string
  readonly #channel: string
  readonly #context: RoomsContext
  readonly #view: RoomView
  readonly #listening: Listening
  readonly #over = new AbortController()

  constructor(room: string, channel: string, context: RoomsContext) {
    this.#room = room
    this.#channel = channel
    this.#context = context
    this.#view = new RoomView(context.clock)
    const hear = ({ data }: Message) => this.#hear(data as unknown as Notice)
    this.#listening = context.bus.subscribe(channel, hear, () => void this.#recover().catch(() => {}))
    this.ready = this.#begin()
    this.ready.catch(() => {})
  }

  close(): void {
    this.#over.abort()
    this.#listening.close()
  }

  /** Whoever is in the room already has joined before anybody watched. */
  async #begin(): Promise<void> {
    await this.#listening.ready
    for (const member of await this.#members()) this.#view.entered(member)
  }

  #hear(notice: Notice): void {
    if ('entered' in notice) this.#entered(notice.entered)
    else this.#left(notice.left.clientId, notice.left.at)
  }

  #entered(member: Member): void {
    if (this.#view.entered(member)) this.#tell('join', member)
  }

  #left(clientId: string, at: string): void {
    const member = this.#view.left(clientId, at)
    if (member) this.#tell('leave', member)
  }

  /**
   * News was lost. Who is in the registry is in the room; who is not may be about to be entered again by its node, if the
   * registry is new, too: that node has the time of a lease for it.
   */
  async #recover(): Promise<void> {
    for (const member of await this.#members()) this.#entered(member)
    const before = new Map(Array.from(this.#view.members, ({ clientId, at }) => [clientId, at]))
    await sleep(LEASE, this.#context.clock, this.#over.signal)
    const present = new Set((await this.#members()).map(({ clientId }) => clientId))
    for (const [clientId, at] of before) if (!present.has(clientId)) this.#left(clientId, at)
  }

  #members(): Promise<readonly Member[]> {
    return this.#context.inquiry.ask((registry) => registry.members(this.#room))
  }

  #tell(event: 'join' | 'leave', { clientId, nodeId, info }: Member): void {
    const told = { clientId, nodeId, info: valueOf(info) }
    for (const watcher of [...this.watchers]) {
      for (const listener of [...watcher[event]]) this.#guard(() => listener(told))
    }
  }

  #guard(call: () => unknown): void {
    guarded(call, (error) => this.#context.bus.failed(error, this.#channel))
  }
}
