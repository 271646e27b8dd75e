import { type AdminState, Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { type EventSink } from '../core/events.ts'
import { type IncomingRequest } from '../core/request.ts'
import { HealthMonitor, type Dial } from '../health/monitor.ts'
import { type HealthOptions, healthOf } from '../health/options.ts'
import { type OpenTunnel } from '../health/early-closes.ts'
import { type TunnelConduct } from '../health/outliers.ts'
import { type AnswerObserver } from '../sticky/answer-observer.ts'
import { type Lease } from './lease.ts'
import { Leases } from './leases.ts'
import { Memories } from './memories.ts'
import { Hold, Holds } from './on-lost.ts'
import { Selector, type SelectorOptions, type Tried } from './selector.ts'
import { diffMembers, type MembershipDiff } from './membership.ts'
import { Panic } from './panic.ts'
import { type PoolSpec } from './pool-spec.ts'
import { SlowStart } from './slow-start.ts'
import { type Steering } from './steering.ts'
import { Traffic } from './traffic.ts'

export interface PoolDependencies {
  readonly events: EventSink
  readonly clock: Clock
  readonly random: Random
  readonly dial: Dial
  /** The open WebSockets of a backend. */
  readonly tunnelsOf: (backend: Backend) => readonly OpenTunnel[]
  /** Called whenever health, admin state or options of a backend may have changed; also as it leaves. */
  readonly onChange: (backend: Backend, pool: Pool) => void
}

/** Interchangeable backends: who belongs, who is well, and who gets the next client. */
export class Pool {
  readonly name: string
  readonly leases: Leases
  readonly holds = new Holds()
  readonly #traffic: Traffic
  readonly #panic: Panic
  readonly #deps: PoolDependencies
  #spec: PoolSpec
  #backends: ReadonlyMap<string, Backend> = new Map()
  readonly #memories: Memories
  readonly #selector: Selector
  readonly #monitor: HealthMonitor
  /** Who is watched, and how. */
  #health: ReadonlyMap<Backend, HealthOptions> = new Map()
  readonly #slowStart: SlowStart
  #running = false

  constructor(spec: PoolSpec, deps: PoolDependencies) {
    this.name = spec.name
    this.leases = new Leases({
      onFullness: (backend) => this.#selector.fullnessChanged(backend),
      onAnswer: (lease, status) => this.#traffic.onAnswer(lease, status),
      onLoad: (backend) => this.#selector.loadChanged(backend),
      onRelease: (lease, error) => {
        this.#traffic.onRelease(lease, error)
        this.holds.wakeFirst(lease.backend)
      },
    })
    this.#traffic = new Traffic(spec, {
      ...deps,
      members: () => this.#backends.values(),
      onChange: this.#changed,
      onTrouble: (backend, reason) => this.#monitor.report(backend, reason),
    })
    this.#panic = new Panic(spec.name, deps.events)
    this.#deps = deps
    this.#spec = spec
    const onProbe = (backend: Backend, isWell: boolean) => this.#traffic.outliers.probed(backend, isWell)
    this.#monitor = new HealthMonitor(spec.name, { ...deps, onProbe }, this.#healthChanged)
    this.#memories = new Memories(deps.clock)
    this.#selector = new Selector(this.#selectorOptions(spec), { ...deps, memories: this.#memories })
    this.#slowStart = new SlowStart({
      clock: deps.clock,
      backends: () => this.#backends.values(),
      onStep: () => this.#selector.invalidate(),
    })
    this.#apply(spec, this.diff(spec))
  }

  get backends(): ReadonlyMap<string, Backend> {
    return this.#backends
  }

  get spec(): PoolSpec {
    return this.#spec
  }

  /** Where clients go whose tunnels were closed so that they go elsewhere. */
  get steering(): Steering {
    return this.#selector.steering
  }

  /** Starts the health loop. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#monitor.watch(this.#health)
  }

  /** Stops the health loop, and every timer; who is ejected stays it. */
  stop(): void {
    this.#running = false
    this.#monitor.stop()
    this.#slowStart.stop()
    this.#traffic.outliers.stop()
    // Nobody would tell those who wait for a backend that it is back.
    this.holds.wakeAll()
  }

  /**
   * Sticky, then policy, then lease.
   * @param tried backends that have failed this very request
   * @param maxWait for an upgrade: milliseconds it may wait for a token of the backend, which it takes
   * @param decided by a hook: one of {@link candidates}, which gets the lease
   * @param held milliseconds that the client has been held already until its own backend can serve; without it, it is
   *   not held
   * @returns what to wait for, when the client is to be held; see {@link holds}
   * @throws WslbError `WSLB_NO_BACKEND`, `WSLB_AT_CAPACITY`, `WSLB_TOO_MANY_HANDSHAKES`, `WSLB_BACKEND_LOST`
   */
  acquire(request: IncomingRequest, tried?: Tried, maxWait?: number, decided?: Backend): Lease
  acquire(...wanted: Parameters<Selector['select']>): Lease | Hold
  acquire(
    request: IncomingRequest,
    tried?: Tried,
    maxWait?: number,
    decided?: Backend,
    held?: number,
  ): Lease | Hold {
    const selection = this.#selector.select(request, tried, maxWait, decided, held)
    if (selection instanceof Hold) return selection
    const { backend, setCookies } = selection
    const { handshakes } = backend
    const isFree = maxWait === undefined || handshakes.isUnlimited
    if (maxWait !== undefined && backend.startRate < Infinity)
      backend.starts.takeIfThere(this.#deps.clock.now())
    const tokenAt = isFree ? -Infinity : handshakes.take(this.#deps.clock.now())
    const isRetry = tried !== undefined
    this.#traffic.begin(isRetry)
    const work = maxWait === undefined ? 'request' : 'upgrade'
    const client = request.clientAddress
    return this.leases.take(backend, { setCookies, tokenAt, work, client, isRetry })
  }

  /** Who could get a lease now, the best first. Frozen. */
  candidates(tried: Tried, maxWait: number | undefined): readonly Backend[] {
    return this.#selector.candidates(tried, maxWait)
  }

  /** The candidate that the client is tied to. */
  ownerOf(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Backend | undefined {
    return this.#selector.ownerOf(request, tried, maxWait)
  }

  /** Whether one more retry is within the budget of this pool. */
  get allowsRetry(): boolean {
    return this.#traffic.allowsRetry
  }

  /** Those who ask to see the answer of a backend to a request; `undefined` for nearly all. */
  observers(request: IncomingRequest, backend: Backend): readonly AnswerObserver[] | undefined {
    return this.#memories.observers(this.#spec.sticky, request, backend)
  }

  /** Health and ejections count for nothing at present. */
  get isPanic(): boolean {
    return this.#panic.isOn
  }

  /** A WebSocket of this pool has ended. */
  tunnelEnded(backend: Backend, conduct: TunnelConduct): void {
    this.#traffic.tunnelEnded(backend, conduct)
  }

  /** What {@link reconfigure} would do. */
  diff(spec: PoolSpec): MembershipDiff {
    return diffMembers(this.#backends, this.#spec.backends, spec.backends)
  }

  /** Kept backends keep their object: health, counters, leases, tunnels. @returns the backends that left */
  reconfigure(spec: PoolSpec): readonly Backend[] {
    const diff = this.diff(spec)
    this.#apply(spec, diff)
    return diff.removed
  }

  #apply(spec: PoolSpec, { kept, added, removed }: MembershipDiff): void {
    for (const [backend, settings] of kept) backend.settings = settings
    const fresh = added.map(
      ({ id, url, settings }) => new Backend(id, this.name, url, settings, this.#deps.clock),
    )
    // Nobody else is there whose share would be the newcomers' for a while.
    const isFirst = !this.#running || this.#backends.size === 0
    const members = new Map([...kept.keys(), ...fresh].map((backend) => [backend.id, backend]))
    // The order of the config is the order of round-robin and of snapshot().
    this.#backends = new Map(spec.backends.map(({ id }) => [id, members.get(id)!]))
    this.#selector.options = this.#selectorOptions(spec)
    this.#spec = spec
    this.#traffic.options = spec
    this.#memories.retain(spec.sticky, removed)
    for (const backend of removed) {
      backend.adminState = 'disabled'
      this.#monitor.forget(backend)
      this.#slowStart.forget(backend)
      this.#traffic.outliers.forget(backend)
    }
    this.#watch(spec)
    this.#slowStart.options = spec.slowStart
    for (const backend of kept.keys()) this.#slowStart.review(backend)
    if (!isFirst) for (const backend of fresh) this.#slowStart.begin(backend)
    this.#reviewPanic()
    for (const backend of [...removed, ...kept.keys()]) this.#deps.onChange(backend, this)
    for (const { id } of removed) this.#deps.events.emit('backend:removed', { backend: id, pool: this.name })
    for (const { id } of fresh) this.#deps.events.emit('backend:added', { backend: id, pool: this.name })
    this.holds.wakeAll()
  }

  #selectorOptions({ name, policy, sticky, onLost, health }: PoolSpec): SelectorOptions {
    return {
      ...{ name, policy, sticky, onLost, backends: this.#backends },
      lastResort: health?.lastResort ?? true,
      isPanic: () => this.#panic.isOn,
      retryAfter: Math.max(1, Math.ceil((health?.interval.down ?? health?.interval.up ?? 1_000) / 1_000)),
    }
  }

  /** How a backend is watched; `undefined`: it is not. */
  healthOf(backend: Backend): HealthOptions | undefined {
    return this.#health.get(backend)
  }

  #watch({ health, backends }: PoolSpec): void {
    const watched = new Map<Backend, HealthOptions>()
    for (const spec of backends) {
      const backend = this.#backends.get(spec.id)!
      const own = healthOf(health, spec.health)
      if (own) watched.set(backend, own)
      else this.#takeForUp(backend)
    }
    this.#health = watched
    if (this.#running) this.#monitor.watch(watched)
  }

  /** Nobody looks at it any more. */
  #takeForUp(backend: Backend): void {
    if (backend.health === 'up') return
    backend.health = 'up'
    backend.healthSince = this.#deps.clock.wallTime()
  }

  /** Sets what the operator wishes for one backend. */
  setAdminState(backend: Backend, state: AdminState): void {
    backend.adminState = state
    this.#changed(backend)
    // Whoever takes it out of service may do something to it.
    if (state === 'active') this.#monitor.ask(backend)
  }

  /** Probes a backend at once. @returns settles when it is up; at once without a health loop. @throws see ProbeLoop */
  async whenUp(backend: Backend, signal?: AbortSignal): Promise<void> {
    await this.#monitor.whenUp(backend, signal)
  }

  readonly #healthChanged = (backend: Backend): void => {
    this.#changed(backend)
    // With all of them down none is better than this one.
    if (backend.health === 'down' && this.#selector.hasLiving) this.leases.giveUp(backend)
  }

  #reviewPanic(): void {
    this.#panic.review(this.#backends.values(), this.#spec.health?.panicThreshold ?? 0)
  }

  readonly #changed = (backend: Backend): void => {
    this.#slowStart.review(backend)
    this.#reviewPanic()
    this.#selector.invalidate()
    this.#deps.onChange(backend, this)
    this.holds.wake(backend)
  }
}
