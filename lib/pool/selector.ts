import { atOnce } from '../core/at-once.ts'
import { type Backend } from '../core/backend.ts'
import { type Clock, type Random } from '../core/clock.ts'
import { WslbError, toWslbError } from '../core/errors.ts'
import { assertField } from '../core/header-edits.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Policy } from '../balancing/policy.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { Candidates } from './candidates.ts'
import { type Memories } from './memories.ts'
import { Hold, type OnLost, whenLost } from './on-lost.ts'
import { soonest } from './soonest.ts'
import { Steering } from './steering.ts'

/** What decides, and among whom; a reload replaces it as a whole. */
export interface SelectorOptions {
  /** Of the pool, for messages. */
  readonly name: string
  readonly backends: ReadonlyMap<string, Backend>
  readonly policy: Policy
  readonly sticky: readonly StickyStrategy[]
  /** `undefined`: clients whose backend cannot serve go elsewhere. */
  readonly onLost: OnLost | undefined
  readonly lastResort: boolean
  readonly isPanic: () => boolean
  /** For a client that is refused: seconds after which it is worth another try. */
  readonly retryAfter: number
}

/** Who gets a client: sticky, then policy. Takes nothing. */
export class Selector {
  /** Where clients go whose tunnels were closed so that they go elsewhere. */
  readonly steering: Steering
  readonly #clock: Clock
  readonly #random: Random
  readonly #memories: Memories
  #options!: SelectorOptions
  #candidates!: Candidates

  constructor(
    options: SelectorOptions,
    {
      clock,
      random,
      memories,
    }: { readonly clock: Clock; readonly random: Random; readonly memories: Memories },
  ) {
    this.steering = new Steering(clock)
    this.#clock = clock
    this.#random = random
    this.#memories = memories
    this.options = options
  }

  set options(options: SelectorOptions) {
    this.#options = options
    this.#candidates = new Candidates(options.backends, options)
  }

  /** To be called when health, admin state or weight of backends has changed. */
  invalidate(): void {
    this.#candidates.invalidate()
  }

  /** To be called when a backend has become full, or is not any more. */
  fullnessChanged(backend: Backend): void {
    this.#candidates.fullnessChanged(backend)
  }

  /** To be called when a lease was taken or given back. What a policy throws then is the failure of the next pick. */
  loadChanged(backend: Backend): void {
    try {
      this.#options.policy.loadChanged?.(backend)
    } catch (thrown) {
      this.#thrown ??= toWslbError(thrown)
    }
  }
  #thrown: WslbError | undefined

  /** Whether a new client would get a backend that is not down. */
  get hasLiving(): boolean {
    return this.#candidates.hasLiving
  }

  /**
   * Everything here may be the user's own code: what it throws and returns is checked.
   * @param tried backends that have failed this very request
   * @param maxWait for an upgrade: milliseconds it may wait for a token of the backend
   * @param decided by a hook: one of {@link candidates}; then nothing is chosen here
   * @param held milliseconds that the client has been held until its backend can serve; `undefined`: it is not to be held
   * @throws WslbError `WSLB_NO_BACKEND`, `WSLB_AT_CAPACITY`, `WSLB_TOO_MANY_HANDSHAKES`, `WSLB_BACKEND_LOST`
   */
  select(
    request: IncomingRequest,
    tried: Tried,
    maxWait: number | undefined,
    decided: Backend | undefined,
    held: number | undefined,
  ): Selection | Hold {
    try {
      const backend = decided ?? this.#decide(request, tried, maxWait, held)
      if (backend instanceof Hold) return backend
      const setCookies = this.#options.sticky.flatMap(
        (strategy) =>
          atOnce(strategy.remember?.(request, backend), `remember of strategy "${strategy.name}"`) ?? [],
      )
      for (const cookie of setCookies) assertField('Set-Cookie', cookie)
      return { backend, setCookies }
    } catch (thrown) {
      throw toWslbError(thrown)
    }
  }

  #decide(
    request: IncomingRequest,
    tried: Tried,
    maxWait: number | undefined,
    held: number | undefined,
  ): Backend | Hold {
    const { onLost, retryAfter } = this.#options
    const patience = onLost && held !== undefined ? onLost.full.wait - held : 0
    const isPatient = maxWait !== undefined && patience > maxWait
    const tie = this.#findTie(request, tried, isPatient ? patience : maxWait)
    if (tie && !tie.serves && onLost) {
      const failed = tried?.has(tie.backend) ?? false
      const hold = whenLost(tie.backend, failed, onLost, held, retryAfter)
      if (hold) return hold
    }
    const choice = tie?.serves ? tie : this.#choose(request, tried, maxWait)
    const stays = tried || this.steering.over
    return stays ? choice.backend : this.#steer(request, choice, maxWait)
  }

  /** Whoever can be given this request now, the best first; more than policies are given. Frozen. */
  candidates(tried: Tried, maxWait: number | undefined): readonly Backend[] {
    const all = this.#candidates.all()
    const isOut = (backend: Backend) => tried?.has(backend) || !this.#takes(backend, maxWait)
    return all.some(isOut) ? Object.freeze(all.filter((backend) => !isOut(backend))) : all
  }

  /** The one of {@link candidates} that the client belongs to. */
  ownerOf(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Backend | undefined {
    const tie = this.#findTie(request, tried, maxWait)
    return tie?.serves ? tie.backend : undefined
  }

  /** The first backend the client belongs to that can be used and takes it in time; or else the first that does not. */
  #findTie(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Tie | undefined {
    let lost: Tie | undefined
    for (const strategy of this.#options.sticky) {
      const found = strategy.find(request, this.#options.backends, this.#memories.of(strategy))
      const backend = atOnce(found, `find of strategy "${strategy.name}"`)
      if (backend && this.#options.backends.get(backend.id) !== backend) {
        throw new WslbError(
          'WSLB_INTERNAL',
          `strategy "${strategy.name}" found something that is not in its pool`,
        )
      }
      if (!backend) continue
      const serves = !tried?.has(backend) && this.#candidates.keeps(backend) && this.#keeps(backend, maxWait)
      if (serves) return { backend, strategy, serves }
      lost ??= { backend, strategy, serves }
    }
    return lost
  }

  /** Whether the next handshake of a client that belongs there begins within that time. */
  #keeps({ handshakes }: Backend, maxWait: number | undefined): boolean {
    return maxWait === undefined || handshakes.isUnlimited || handshakes.wait(this.#clock.now()) <= maxWait
  }

  /** And of one that belongs to nobody, whom a slow start sends elsewhere. */
  #takes(backend: Backend, maxWait: number | undefined): boolean {
    const { starts } = backend
    const isHeld = maxWait !== undefined && !starts.isUnlimited && starts.wait(this.#clock.now()) > 0
    return !isHeld && this.#keeps(backend, maxWait)
  }

  #choose(request: IncomingRequest, tried: Tried, maxWait: number | undefined): Decision {
    const candidates = this.#candidates.list(tried)
    if (candidates.length === 0) throw this.#nobody()
    const decision = this.#next(candidates, request)
    // Nearly always. All are looked at only when they are busy.
    if (maxWait === undefined || this.#takes(decision.backend, 0)) return decision
    return this.#next(soonest(this.#candidates, tried, this.#clock.now(), maxWait), request)
  }

  /** Failover of the strategies, then policy. */
  #next(candidates: readonly Backend[], request: IncomingRequest): Decision {
    for (const strategy of this.#options.sticky) {
      const named = strategy.failover?.(request, candidates)
      const backend = atOnce(named, `failover of strategy "${strategy.name}"`)
      if (backend === undefined) continue
      if (this.#candidates.includes(candidates, backend)) return { backend, strategy }
      throw new WslbError(
        'WSLB_INTERNAL',
        `failover of strategy "${strategy.name}" named something that is not one of its candidates`,
      )
    }
    return { backend: this.#pick(candidates, request), strategy: undefined }
  }

  #pick(candidates: readonly Backend[], request: IncomingRequest): Backend {
    const { policy } = this.#options
    const thrown = this.#thrown
    this.#thrown = undefined
    if (thrown) throw thrown
    const picked = policy.pick(candidates, request, this.#random)
    const backend = atOnce(picked, `policy "${policy.name}"`)
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
    { backend: chosen, strategy: owner }: Decision,
    maxWait: number | undefined,
  ): Backend {
    const candidates = () =>
      this.#candidates.list(undefined).filter((backend) => this.#takes(backend, maxWait))
    const isSticky = this.#options.sticky.length > 0
    const steered = { request, chosen, owner, isSticky, backends: this.#options.backends, candidates }
    return this.steering.redirect(steered) ?? chosen
  }

  #nobody(): WslbError {
    const { name, backends, retryAfter } = this.#options
    const full = [...backends.values()].some(
      (backend) => backend.adminState === 'active' && backend.saturated,
    )
    return full
      ? new WslbError('WSLB_AT_CAPACITY', `every backend of pool "${name}" is at maxConnections`, {
          retryAfter: 1,
        })
      : new WslbError('WSLB_NO_BACKEND', `no backend of pool "${name}" can be used`, { retryAfter })
  }
}

export interface Selection {
  readonly backend: Backend
  /** `Set-Cookie` values that tie the client to it. */
  readonly setCookies: readonly string[]
}

interface Decision {
  readonly backend: Backend
  /** Whose word that is; `undefined`: the policy's. */
  readonly strategy: StickyStrategy | undefined
}

/** What ties a client to a backend. */
interface Tie extends Decision {
  readonly serves: boolean
}

/** Backends that have failed a request. */
export type Tried = ReadonlySet<Backend> | undefined
