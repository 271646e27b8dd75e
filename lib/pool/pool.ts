import { type AdminState, Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { WslbError, isWslbError, messageOf, toWslbError } from '../core/errors.ts'
import { type EventSink } from '../core/events.ts'
import { assertField } from '../core/header-edits.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Policy } from '../balancing/policy.ts'
import { HealthMonitor, type Dial } from '../health/monitor.ts'
import { type HealthOptions } from '../health/options.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { Candidates } from './candidates.ts'
import { isTrouble } from './is-trouble.ts'
import { type Lease } from './lease.ts'
import { Leases } from './leases.ts'
import { soonest } from './soonest.ts'
import { type BackendSpec, diffMembers, type MembershipDiff } from './membership.ts'
import { type RebalanceOptions } from './rebalance-options.ts'
import { Steering } from './steering.ts'

/** What a pool is to be; everything in it may change at a reload. */
export interface PoolSpec {
  readonly name: string
  readonly backends: readonly BackendSpec[]
  readonly policy: Policy
  readonly sticky: readonly StickyStrategy[]
  /** `undefined`: no health loop. */
  readonly health: HealthOptions | undefined
  /** `undefined`: not by itself. */
  readonly rebalance: RebalanceOptions | undefined
}

export interface PoolDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
  /** Called whenever health, admin state or options of a backend may have changed; also as it leaves. */
  readonly onChange: (backend: Backend, pool: Pool) => void
}

/** Interchangeable backends: who belongs, who is well, and who gets the next client. */
export class Pool {
  readonly name: string
  /** Where clients go whose tunnels were closed so that they go elsewhere. */
  readonly steering: Steering
  readonly leases: Leases
  readonly #deps: PoolDependencies
  #spec: PoolSpec
  #backends: ReadonlyMap<string, Backend> = new Map()
  #candidates: Candidates
  #monitor: HealthMonitor | undefined
  #running = false

  constructor(spec: PoolSpec, deps: PoolDependencies) {
    this.name = spec.name
    this.steering = new Steering(deps.clock)
    this.leases = new Leases({
      onFullness: () => this.#candidates.invalidate(),
      onRelease: (backend, error) => this.#heed(backend, error),
    })
    this.#deps = deps
    this.#spec = spec
    this.#candidates = new Candidates(this.#backends, true)
    this.#apply(spec, this.diff(spec))
  }

  get backends(): ReadonlyMap<string, Backend> {
    return this.#backends
  }

  get spec(): PoolSpec {
    return this.#spec
  }

  /** Starts the health loop. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#monitor?.watch(this.#backends.values())
  }

  /** Stops the health loop and every timer of it. */
  stop(): void {
    this.#running = false
    this.#monitor?.stop()
  }

  /**
   * Sticky, then policy, then lease.
   * @param tried backends that have failed this very request
   * @param maxWait for an upgrade: milliseconds it may wait for a token of the backend, which it takes
   * @throws WslbError `WSLB_NO_BACKEND`, `WSLB_AT_CAPACITY`, `WSLB_TOO_MANY_HANDSHAKES`
   */
  acquire(request: IncomingRequest, tried?: Tried, maxWait?: number): Lease {
    const [backend, setCookies] = this.#decide(request, tried, maxWait)
    const { handshakes } = backend
    const isFree = maxWait === undefined || handshakes.isUnlimited
    return this.leases.take(backend, setCookies, isFree ? -Infinity : handshakes.take(this.#deps.clock.now()))
  }

  /** Everything here may be the user's own code: what it throws and returns is checked. */
  #decide(request: IncomingRequest, tried: Tried, maxWait: number | undefined): [Backend, readonly string[]] {
    try {
      const tie = this.#findTie(request, tried, maxWait)
      const chosen = tie?.backend ?? this.#choose(request, tried, maxWait)
      const stays = tried || this.steering.over
      const backend = stays ? chosen : this.#steer(request, chosen, tie?.strategy, maxWait)
      const setCookies = this.#spec.sticky.flatMap((strategy) => strategy.remember?.(request, backend) ?? [])
      for (const cookie of setCookies) assertField('Set-Cookie', cookie)
      return [backend, setCookies]
    } catch (thrown) {
      throw toWslbError(thrown)
    }
  }

  /** The backend the client belongs to, if it can be used and takes it in time. */
  #findTie(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Tie | undefined {
    for (const strategy of this.#spec.sticky) {
      const backend = strategy.find(request, this.#backends)
      if (backend && this.#backends.get(backend.id) !== backend) {
        throw new WslbError(
          'WSLB_INTERNAL',
          `strategy "${strategy.name}" found something that is not in its pool`,
        )
      }
      if (backend && !tried?.has(backend) && this.#isUsable(backend) && this.#takes(backend, maxWait))
        return { backend, strategy }
    }
    return undefined
  }

  /**
   * Suspect is good enough for a client that belongs there: moving it would lose what the backend knows of it. So is
   * down when all are: then it is more likely the probe that is wrong.
   */
  #isUsable(backend: Backend): boolean {
    if (backend.adminState !== 'active' || backend.saturated) return false
    return backend.health !== 'down' || this.#candidates.lastResort
  }

  /** Whether its next handshake begins within that time. */
  #takes(backend: Backend, maxWait: number | undefined): boolean {
    const { handshakes } = backend
    if (maxWait === undefined || handshakes.isUnlimited) return true
    return handshakes.wait(this.#deps.clock.now()) <= maxWait
  }

  #choose(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Backend {
    const candidates = this.#candidates.list(tried)
    if (candidates.length === 0) throw this.#nobody()
    const backend = this.#pick(candidates, request)
    // Nearly always. All are looked at only when they are busy.
    if (maxWait === undefined || this.#takes(backend, 0)) return backend
    return this.#pick(soonest(this.#candidates, tried, this.#deps.clock.now(), maxWait), request)
  }

  #pick(candidates: readonly Backend[], request: IncomingRequest): Backend {
    const { policy } = this.#spec
    const backend = policy.pick(candidates, request, this.#deps.random)
    if (!this.#candidates.includes(candidates, backend)) {
      throw new WslbError(
        'WSLB_INTERNAL',
        `policy "${policy.name}" picked something that is not one of its candidates`,
      )
    }
    return backend
  }

  #steer(
    request: IncomingRequest,
    chosen: Backend,
    owner: StickyStrategy | undefined,
    maxWait: number | undefined,
  ): Backend {
    const candidates = () =>
      this.#candidates.list(undefined).filter((backend) => this.#takes(backend, maxWait))
    const isSticky = this.#spec.sticky.length > 0
    const steered = { request, chosen, owner, isSticky, backends: this.#backends, candidates }
    return this.steering.redirect(steered) ?? chosen
  }

  #heed(backend: Backend, error: unknown): void {
    if (error == null || (isWslbError(error) && error.blame !== 'backend')) return
    backend.counters.failures++
    if (isTrouble(error)) this.#monitor?.report(backend, messageOf(error))
  }

  #nobody(): WslbError {
    const full = [...this.#backends.values()].some(
      (backend) => backend.adminState === 'active' && backend.saturated,
    )
    return full
      ? new WslbError('WSLB_AT_CAPACITY', `every backend of pool "${this.name}" is at maxConnections`, {
          retryAfter: 1,
        })
      : new WslbError('WSLB_NO_BACKEND', `no backend of pool "${this.name}" can be used`, {
          retryAfter: Math.max(1, Math.ceil((this.#spec.health?.interval ?? 1_000) / 1_000)),
        })
  }

  /** What {@link reconfigure} would do. */
  diff(spec: PoolSpec): MembershipDiff {
    return diffMembers(this.#backends, spec.backends)
  }

  /** Kept backends keep their object: health, counters, leases, tunnels. @returns the backends that left */
  reconfigure(spec: PoolSpec): readonly Backend[] {
    const diff = this.diff(spec)
    this.#apply(spec, diff)
    return diff.removed
  }

  #apply(spec: PoolSpec, { kept, added, removed }: MembershipDiff): void {
    for (const [backend, settings] of kept) backend.settings = settings
    const fresh = added.map(({ id, url, settings }) => new Backend(id, this.name, url, settings))
    const members = new Map([...kept.keys(), ...fresh].map((backend) => [backend.id, backend]))
    // The order of the config is the order of round-robin and of snapshot().
    this.#backends = new Map(spec.backends.map(({ id }) => [id, members.get(id)!]))
    this.#candidates = new Candidates(this.#backends, spec.health?.lastResort ?? true)
    this.#spec = spec
    for (const backend of removed) {
      backend.adminState = 'disabled'
      this.#monitor?.forget(backend)
    }
    this.#restartMonitor(spec.health)
    for (const backend of [...removed, ...kept.keys()]) this.#deps.onChange(backend, this)
    for (const { id } of removed) this.#deps.events.emit('backend:removed', { backend: id, pool: this.name })
    for (const { id } of fresh) this.#deps.events.emit('backend:added', { backend: id, pool: this.name })
  }

  #restartMonitor(options: HealthOptions | undefined): void {
    if (!options) {
      this.#monitor?.stop()
      this.#monitor = undefined
      for (const backend of this.#backends.values()) backend.health = 'up'
      return
    }
    this.#monitor ??= new HealthMonitor(this.name, options, this.#deps, this.#changed)
    this.#monitor.options = options
    if (this.#running) this.#monitor.watch(this.#backends.values())
  }

  /** Sets what the operator wishes for one backend. */
  setAdminState(backend: Backend, state: AdminState): void {
    backend.adminState = state
    this.#changed(backend)
    // Whoever takes it out of service may do something to it.
    if (state === 'active') this.#monitor?.ask(backend)
  }

  /** Probes a backend at once. @returns settles when it is up; at once without a health loop. @throws see ProbeLoop */
  async whenUp(backend: Backend, signal?: AbortSignal): Promise<void> {
    await this.#monitor?.whenUp(backend, signal)
  }

  readonly #changed = (backend: Backend): void => {
    this.#candidates.invalidate()
    this.#deps.onChange(backend, this)
  }
}

/** What ties a client to a backend. */
interface Tie {
  readonly backend: Backend
  readonly strategy: StickyStrategy
}

/** Backends that have failed a request. */
type Tried = ReadonlySet<Backend> | undefined
