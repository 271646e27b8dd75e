import { type Backend, fullName } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type Plan } from '../core/events.ts'
import { type Change, Feeds } from './feeds.ts'
import { type BackendSpec } from './membership.ts'
import { Pool, type PoolDependencies } from './pool.ts'
import { type PoolSpec } from './pool-spec.ts'
import { targeted } from './target.ts'

/** A backend together with the pool it belongs to. */
export interface Member {
  readonly backend: Backend
  readonly pool: Pool
}

/** The part of a {@link Plan} that is about backends. */
export type BackendsPlan = Omit<Plan, 'over' | 'listeners' | 'options' | 'warnings'>

export interface PoolsDependencies extends PoolDependencies {
  /** A source has changed the backends of a pool. @param left those that do not belong any more */
  readonly onUpdate: (left: readonly Member[]) => void
}

/** All pools of a balancer, changed by difference. */
export class Pools {
  readonly #deps: PoolsDependencies
  readonly feeds: Feeds
  #byName: ReadonlyMap<string, Pool> = new Map()
  #running = false
  /** Backends that have left, with work that has not. */
  readonly #departed = new Set<Backend>()

  constructor(deps: PoolsDependencies) {
    this.#deps = deps
    this.feeds = new Feeds({ ...deps, update: (pool, backends) => this.#update(pool, backends) })
  }

  get byName(): ReadonlyMap<string, Pool> {
    return this.#byName
  }

  members(): Member[] {
    return [...this.#byName.values()].flatMap((pool) =>
      [...pool.backends.values()].map((backend) => ({ backend, pool })),
    )
  }

  /** Leases held, those on backends that have left included. */
  get load(): number {
    for (const backend of this.#departed) if (backend.load === 0) this.#departed.delete(backend)
    const backends = [...this.#departed, ...this.members().map(({ backend }) => backend)]
    return backends.reduce((sum, { load }) => sum + load, 0)
  }

  /**
   * @param target see {@link targeted}
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`
   */
  find(target: string): Member[] {
    const members = this.members()
    const found = targeted(target, members, ({ backend }) => backend)
    // A pool may be empty, and so may all of them.
    if (found.length > 0 || target === '*' || this.#byName.has(target)) return found
    const known = [
      ...members.map(({ backend }) => fullName(backend)),
      ...[...this.#byName.keys()].map((name) => `${name}/*`),
    ]
    throw new WslbError('WSLB_UNKNOWN_BACKEND', `no backend "${target}"; there are: ${known.join(', ')}`)
  }

  /**
   * @param name without one, all of them
   * @throws WslbError `WSLB_UNKNOWN_BACKEND`
   */
  named(name: string | undefined): Pool[] {
    if (name === undefined) return [...this.#byName.values()]
    const pool = this.#byName.get(name)
    if (pool) return [pool]
    const known = [...this.#byName.keys()].join(', ')
    throw new WslbError('WSLB_UNKNOWN_BACKEND', `no pool "${name}"; there are: ${known}`)
  }

  /** A pool with a source keeps the backends it has until that gives a list. */
  withPresent(specs: readonly PoolSpec[]): PoolSpec[] {
    return specs.map((spec) =>
      spec.source ? { ...spec, backends: this.#byName.get(spec.name)?.spec.backends ?? [] } : spec,
    )
  }

  /** What {@link apply} would do, without doing it. @param specs see {@link withPresent} */
  plan(specs: readonly PoolSpec[]): BackendsPlan {
    const plan = {
      added: [] as string[],
      removed: [] as string[],
      changed: [] as string[],
      kept: [] as string[],
    }
    let tunnelsKept = 0
    let tunnelsDrained = 0
    const removed = (backend: Backend) => {
      plan.removed.push(fullName(backend))
      tunnelsDrained += backend.tunnels
    }
    for (const spec of specs) {
      const pool = this.#byName.get(spec.name)
      if (!pool) {
        plan.added.push(...spec.backends.map(({ id }) => fullName({ id, pool: spec.name })))
        continue
      }
      const diff = pool.diff(spec)
      plan.added.push(...diff.added.map(({ id }) => fullName({ id, pool: spec.name })))
      diff.removed.forEach(removed)
      for (const backend of diff.kept.keys()) {
        ;(diff.changed.includes(backend) ? plan.changed : plan.kept).push(fullName(backend))
        tunnelsKept += backend.tunnels
      }
    }
    for (const pool of this.#goneIn(specs)) [...pool.backends.values()].forEach(removed)
    return { ...plan, sources: this.#newSources(specs), tunnelsKept, tunnelsDrained }
  }

  #newSources(specs: readonly PoolSpec[]): string[] {
    return specs.flatMap(({ name, source }) => {
      const isNew = source && this.#byName.get(name)?.spec.source?.source.name !== source.source.name
      return isNew ? [`${name} from ${source.source.name}`] : []
    })
  }

  /**
   * Makes the pools what the specs say.
   * @param specs see {@link withPresent}
   * @returns the backends that left, with the pool they left
   */
  apply(specs: readonly PoolSpec[]): Member[] {
    const left: Member[] = []
    const next = new Map<string, Pool>()
    for (const spec of specs) {
      let pool = this.#byName.get(spec.name)
      if (pool) left.push(...withPool(pool, pool.reconfigure(spec)))
      else pool = new Pool(spec, this.#deps)
      if (this.#running) pool.start()
      next.set(spec.name, pool)
    }
    for (const pool of this.#goneIn(specs)) {
      left.push(...withPool(pool, pool.reconfigure({ ...pool.spec, backends: [] })))
      pool.stop()
    }
    this.#byName = next
    this.#remember(left)
    this.feeds.apply(specs)
    return left
  }

  /** A source says so. */
  #update(name: string, backends: readonly BackendSpec[]): Change {
    const pool = this.#byName.get(name)!
    const spec = { ...pool.spec, backends }
    const { added, removed, changed } = pool.diff(spec)
    const change = { added: idsOf(added), removed: idsOf(removed), changed: idsOf(changed) }
    // A source that says the same again, perhaps in another order, must cost nothing.
    if (added.length + removed.length + changed.length === 0) return change
    const left = withPool(pool, pool.reconfigure(spec))
    this.#remember(left)
    this.#deps.onUpdate(left)
    return change
  }

  #remember(left: readonly Member[]): void {
    for (const { backend } of left) if (backend.load > 0) this.#departed.add(backend)
  }

  #goneIn(specs: readonly PoolSpec[]): Pool[] {
    const names = new Set(specs.map(({ name }) => name))
    return [...this.#byName.values()].filter(({ name }) => !names.has(name))
  }

  /** Starts the sources and the health loops, now and of pools to come. */
  start(): void {
    if (this.#running) return
    this.#running = true
    for (const pool of this.#byName.values()) pool.start()
    this.feeds.start()
  }

  stop(): void {
    this.#running = false
    this.feeds.stop()
    for (const pool of this.#byName.values()) pool.stop()
  }
}

function withPool(pool: Pool, backends: readonly Backend[]): Member[] {
  return backends.map((backend) => ({ backend, pool }))
}

function idsOf(backends: readonly { readonly id: string }[]): string[] {
  return backends.map(({ id }) => id)
}
