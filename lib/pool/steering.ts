import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { type IncomingRequest } from '../core/request.ts'
import { cost } from '../balancing/cost.ts'
import { asksForWebSocket } from '../protocol/handshake.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { sharesOf } from './shares.ts'

/** How long a client whose tunnel was closed is expected back. In milliseconds. */
const EXPECTED = 30_000

/** What a pool knows of a request and of itself. */
export interface Steered {
  readonly request: IncomingRequest
  /** Where stickiness or the policy would send it. */
  readonly chosen: Backend
  /** Whose word that was, if stickiness decided. */
  readonly owner: StickyStrategy | undefined
  /** Whether anybody would be known again. */
  readonly isSticky: boolean
  readonly backends: ReadonlyMap<string, Backend>
  /** Who may be given this request. Asked for only when it may be moved: there can be ten thousand. */
  readonly candidates: () => readonly Backend[]
}

/**
 * For each tunnel that a backend has given away, one client that would come to it goes to a backend below its share
 * instead. It is counted, not recognised: which of the backend's clients comes next is not known.
 */
export class Steering {
  /** For each client that is expected, the time after which it is not any more; the first to lapse first. */
  readonly #expected = new Map<Backend, number[]>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nobody is expected; that somebody is not any more may show later. */
  get over(): boolean {
    return this.#expected.size === 0
  }

  /** A tunnel of this backend is closed; its client will come back. */
  expect(backend: Backend): void {
    const until = this.#clock.now() + EXPECTED
    const times = this.#expected.get(backend)
    if (times) times.push(until)
    else this.#expected.set(backend, [until])
  }

  /** Clients that are expected. */
  get away(): number {
    const now = this.#clock.now()
    let away = 0
    for (const [backend, times] of this.#expected) {
      while (times[0]! <= now) times.shift()
      if (times.length === 0) this.#expected.delete(backend)
      away += times.length
    }
    return away
  }

  /** @returns where the request goes instead, if it does */
  redirect({ request, chosen, owner, isSticky, backends, candidates }: Steered): Backend | undefined {
    if (!opensSession(request)) return undefined
    const { away } = this
    if (away === 0) return undefined
    // Nothing would tie the client to another backend: the rest of its session would come to this one.
    if (owner && !owner.remember) return undefined
    // Whoever belongs to nobody can stand for any client that is expected.
    const giver = this.#expected.has(chosen) || owner ? chosen : [...this.#expected.keys()][0]!
    if (!this.#expected.has(giver)) return undefined
    const shares = sharesOf(backends.values(), away)
    const isBelow = (backend: Backend) => backend.tunnels < (shares.get(backend) ?? 0)
    const [first, ...others] = candidates().filter(
      (backend) => isBelow(backend) && isEmptier(backend, chosen),
    )
    // Without stickiness nobody comes later who would be known.
    if (first || !isSticky) this.#hasCome(giver)
    return first && others.reduce((best, backend) => (cost(backend) < cost(best) ? backend : best), first)
  }

  #hasCome(backend: Backend): void {
    const times = this.#expected.get(backend)!
    times.shift()
    if (times.length === 0) this.#expected.delete(backend)
  }
}

function isEmptier(a: Backend, b: Backend): boolean {
  return a.tunnels / a.weight < b.tunnels / b.weight
}

/**
 * Nothing has gone before on another connection that this one goes on with. A WebSocket stands for itself, unless it is
 * the upgrade of an Engine.IO session, whose `sid` its server alone knows; so does the handshake of Engine.IO's polling.
 */
function opensSession({ method, headers, query }: IncomingRequest): boolean {
  if (asksForWebSocket(headers.upgrade)) return !query.has('EIO') || !query.has('sid')
  return method === 'GET' && query.has('EIO') && !query.has('sid')
}
