import { type Backend } from '../core/backend.ts'
import { type Cancellable } from '../core/cancellable.ts'
import { type Clock, type Random, STALL, type Timer } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type OnDown } from '../health/options.ts'
import { closeAtPace } from './close-at-pace.ts'
import { type DrainOrder } from './drain-order.ts'
import { type Tunnel } from './tunnel.ts'
import { type Tunnels } from './tunnels.ts'

/** Milliseconds that a backend has to answer, from one question to the next, and over which closes are spread. */
const ANSWER = 5_000
const ROUND = 15_000
const OVER = 5_000
/** What a client hears: that of a drain would not be true here. */
const REASON = 'backend down'

export interface DownWatchDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly tunnels: Tunnels
  /** How tunnels are closed, as of now. */
  readonly closes: () => { readonly code: number; readonly order: DrainOrder }
}

/**
 * Looks after the open tunnels of backends that are down. A probe can be wrong about them: what counts here is whether
 * the backend still sends something on them.
 */
export class DownWatch {
  readonly #deps: DownWatchDependencies
  readonly #down = new Map<Backend, { readonly onDown: OnDown; readonly inquiry: Inquiry | undefined }>()
  #stopped = false

  constructor(deps: DownWatchDependencies) {
    this.#deps = deps
  }

  /**
   * To be called whenever health, admin state or `onDown` of a backend may have changed. What is drained, or has left,
   * is none of ours: its tunnels are being closed as that says.
   */
  review(backend: Backend, onDown: OnDown = 'keep'): void {
    const isOurs = backend.health === 'down' && backend.adminState === 'active' && !this.#stopped
    const known = this.#down.get(backend)
    if (isOurs && known?.onDown === onDown) return
    known?.inquiry?.cancel()
    this.#down.delete(backend)
    if (!isOurs) return
    const inquiry = onDown === 'drain' ? new Inquiry(backend, this.#deps) : undefined
    this.#down.set(backend, { onDown, inquiry })
    if (onDown !== 'drain') this.#decide(backend, onDown)
  }

  stop(): void {
    this.#stopped = true
    for (const { inquiry } of this.#down.values()) inquiry?.cancel()
    this.#down.clear()
  }

  #decide(backend: Backend, onDown: 'keep' | 'cut'): void {
    const open = this.#deps.tunnels.of(backend).filter(isOpen)
    const isCut = onDown === 'cut'
    if (isCut) for (const tunnel of open) tunnel.cutBackend('down')
    tell(this.#deps.events, backend, onDown, isCut ? { closing: open.length } : { kept: open.length })
  }
}

/** Asks the tunnels of one backend, round by round, and closes those on which nothing comes back. */
class Inquiry implements Cancellable {
  readonly #backend: Backend
  readonly #deps: DownWatchDependencies
  #timer!: Timer
  #closing: Cancellable | undefined
  #hasTold = false

  constructor(backend: Backend, deps: DownWatchDependencies) {
    this.#backend = backend
    this.#deps = deps
    this.#ask()
  }

  cancel(): void {
    this.#timer.cancel()
    this.#closing?.cancel()
  }

  #ask(): void {
    this.#closing?.cancel()
    const { clock, tunnels } = this.#deps
    // Those that open later have just been answered.
    const asked = tunnels.of(this.#backend)
    for (const { backendPulse } of asked) backendPulse.ask()
    const dueAt = clock.now() + ANSWER
    this.#timer = clock.schedule(ANSWER, () => {
      if (clock.now() - dueAt > STALL) this.#ask()
      else this.#judge(asked)
    })
  }

  #judge(asked: readonly Tunnel[]): void {
    const { clock, closes, events } = this.#deps
    const { code, order } = closes()
    const open = asked.filter(isOpen)
    const silent = open.filter(isSilent)
    this.#timer = clock.schedule(ROUND - ANSWER, () => this.#ask())
    const latest = clock.now() + OVER + STALL
    // A late answer is an answer too.
    const still = (tunnel: Tunnel) => isSilent(tunnel) && clock.now() <= latest
    const how = { cause: 'down', over: OVER, order, code, reason: REASON, still } as const
    if (silent.length > 0) this.#closing = closeAtPace(silent, how, this.#deps)
    // That all go on answering is no news.
    const isNews = silent.length > 0 || !this.#hasTold
    this.#hasTold = true
    // Last, for who hears it may end the inquiry.
    const kept = open.length - silent.length
    if (isNews) tell(events, this.#backend, 'drain', { kept, closing: silent.length, over: OVER })
  }
}

/** Neither has a peer closed it, nor somebody else of us. */
function isOpen({ ending }: Tunnel): boolean {
  return !ending
}

/** Of a backend without tunnels there is nothing to tell. */
function tell(
  events: EventSink,
  { id, pool }: Backend,
  onDown: OnDown,
  { kept = 0, closing = 0, over = 0 },
): void {
  if (kept + closing > 0) events.emit('backend:tunnels', { backend: id, pool, onDown, kept, closing, over })
}

function isSilent({ backendPulse }: Tunnel): boolean {
  return !backendPulse.answered
}
