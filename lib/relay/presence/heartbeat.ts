import { type Clock, type Random } from '../../core/clock.ts'
import { sleep } from '../../core/sleep.ts'
import { type Orphan, type Peer } from '../session/registry.ts'
import { type Session } from '../session/session.ts'

/** Milliseconds after which a node that is silent counts as dead. */
export const LEASE = 15_000
const BEAT = 5_000
/** Milliseconds until a beat that was refused is repeated. */
const RETRY = 1_000
/** Nodes that sweep after a beat, of all of them, on average. */
const SWEEPERS = 2
const ORPHANS = 200

export interface HeartbeatContext {
  readonly nodeId: string
  readonly clock: Clock
  readonly random: Random
  readonly closed: AbortSignal
  /** The lease holds, for the first time in this session. */
  begun(session: Session): void
  /** The lease had ended meanwhile. */
  lapsed(): void
  beaten(): void
  /** Settles when everybody will hear of it. */
  tell(orphan: Orphan): Promise<unknown>
}

/** Holds the lease of this node, and clears up after those that have lost theirs. */
export class Heartbeat {
  readonly #context: HeartbeatContext
  #peers: readonly Peer[] = []
  #sweeping = false

  constructor(context: HeartbeatContext) {
    this.#context = context
  }

  /** The nodes that had a lease when this one last asked. */
  get peers(): readonly Peer[] {
    return this.#peers
  }

  /** Until the session is over; never rejects. */
  async run(session: Session): Promise<void> {
    const { clock, closed } = this.#context
    const over = AbortSignal.any([session.signal, closed])
    let begun = false
    while (!over.aborted) {
      const beaten = await this.#beat(session, begun)
      begun ||= beaten
      await sleep(beaten ? BEAT : RETRY, clock, over).catch(() => {})
    }
  }

  async #beat(session: Session, begun: boolean): Promise<boolean> {
    const { nodeId, random, closed } = this.#context
    const roll = await session.registry.beat(nodeId, session.epoch, LEASE).catch(() => undefined)
    if (!roll || closed.aborted) return false
    this.#peers = roll.peers
    // Before its lease holds, others might sweep what it enters.
    if (!begun) this.#context.begun(session)
    else if (!roll.renewed) this.#context.lapsed()
    this.#context.beaten()
    if (random() * roll.peers.length < SWEEPERS) void this.#sweep(session)
    return true
  }

  async #sweep(session: Session): Promise<void> {
    if (this.#sweeping) return
    this.#sweeping = true
    let next: string | undefined
    do {
      next = await this.#sweepOn(session, next).catch(() => undefined)
    } while (next !== undefined && !this.#context.closed.aborted)
    this.#sweeping = false
  }

  /** First it is told, then the entry goes: a node that dies between the two leaves it to the next one. */
  async #sweepOn({ registry }: Session, before: string | undefined): Promise<string | undefined> {
    const { orphans, next } = await registry.sweep(ORPHANS, before)
    await Promise.all(
      orphans.map(async (orphan) => {
        await this.#context.tell(orphan)
        await registry.leave(orphan.room, orphan.clientId, orphan)
      }),
    )
    return next
  }
}
