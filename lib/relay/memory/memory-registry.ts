import { type Clock } from '../../core/clock.ts'
import {
  type Claim,
  type Member,
  type Owner,
  type Registry,
  type Roll,
  type Sweep,
} from '../session/registry.ts'
import { type Directory } from './directory.ts'

/** The directory of a store, as one relay sees it. */
export class MemoryRegistry implements Registry {
  readonly #directory: Directory
  readonly #clock: Clock
  readonly #signal: AbortSignal

  /** @param signal aborted when nothing may be asked any more */
  constructor(directory: Directory, clock: Clock, signal: AbortSignal) {
    this.#directory = directory
    this.#clock = clock
    this.#signal = signal
  }

  async beat(nodeId: string, epoch: string, lease: number): Promise<Roll> {
    return this.#open.beat(nodeId, epoch, lease, this.#clock.now())
  }

  async retire(nodeId: string): Promise<void> {
    this.#open.retire(nodeId)
  }

  async claim(clientId: string, nodeId: string, connId?: string): Promise<Claim> {
    return this.#open.claim(clientId, nodeId, connId)
  }

  async release(clientId: string, owner: Owner): Promise<boolean> {
    return this.#open.release(clientId, owner)
  }

  async locate(clientId: string): Promise<Owner | undefined> {
    return this.#open.locate(clientId, this.#clock.now())
  }

  async enter(
    room: string,
    clientId: string,
    nodeId: string,
    info: string,
    connId?: string,
  ): Promise<Member> {
    return this.#open.enter(room, clientId, nodeId, info, connId)
  }

  async leave(room: string, clientId: string, owner: Owner): Promise<boolean> {
    return this.#open.leave(room, clientId, owner)
  }

  async members(room: string): Promise<readonly Member[]> {
    return this.#open.members(room, this.#clock.now())
  }

  async sweep(): Promise<Sweep> {
    return { orphans: this.#open.sweep(this.#clock.now()), next: undefined }
  }

  get #open(): Directory {
    this.#signal.throwIfAborted()
    return this.#directory
  }
}
