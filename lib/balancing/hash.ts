import { assertOptions } from '../core/assert-options.ts'
import { type Backend } from '../core/backend.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { Rendezvous } from '../core/rendezvous.ts'
import { assertKey, clientIp, keyFor, type RequestKey } from '../core/request-key.ts'
import { type Policy } from './policy.ts'
import { random } from './random.ts'

export interface HashOptions {
  /** What the requests of one backend have in common; without it a request goes by chance. @default clientIp() */
  key?: RequestKey
  /**
   * No backend takes more than this times the mean load by weight: 1.25 is a quarter above it. What is too much goes to
   * the next in the key's own order, so a key is with several backends at once: where little is going on, from its second
   * client on. For caches, not for rooms. `false` has no bound. @default false
   */
  boundedLoad?: number | false
}

/**
 * The same key to the same backend, by weighted rendezvous hashing; if wished with bounded loads (Mirrokni, Thorup,
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016). A weight that grows, as in a slow start, brings keys home one after
 * the other, and moves no others.
 * @throws ConfigError
 */
export function hash(options: HashOptions = {}): Policy {
  assertOptions('hash', options, { key: true, boundedLoad: true })
  const { key = clientIp(), boundedLoad = false } = options
  assertKey('hash', key)
  assertBound(boundedLoad)
  const byChance = random()
  const tables = new WeakMap<readonly Backend[], Rendezvous<Backend>>()
  let loads: Loads | undefined

  function choose(candidates: readonly Backend[], digest: Digest): Backend {
    let table = tables.get(candidates)
    if (!table) tables.set(candidates, (table = new Rendezvous(candidates, ({ weight }) => weight)))
    if (boundedLoad === false) return table.winner(digest)!
    if (loads?.candidates !== candidates) loads = new Loads(candidates)
    const most = boundedLoad * loads.withOneMore
    const hasRoom = ({ load, weight }: Backend) => load < Math.ceil(most * weight)
    // Nobody has room only where loads were not told of.
    return table.first(digest, hasRoom) ?? table.winner(digest)!
  }

  return {
    name: 'hash',
    pick(candidates, request, chance) {
      const text = keyFor(request, key)
      if (text === undefined) return byChance.pick(candidates, request, chance)
      return choose(candidates, digestOf(text))
    },
    loadChanged: (backend) => loads?.changed(backend),
  }
}

/** The load of all candidates, kept right instead of added up at each pick. */
class Loads {
  readonly candidates: readonly Backend[]
  readonly #known: Map<Backend, number>
  readonly #weight: number
  #sum: number

  constructor(candidates: readonly Backend[]) {
    this.candidates = candidates
    this.#known = new Map(candidates.map((backend) => [backend, backend.load]))
    this.#weight = candidates.reduce((sum, { weight }) => sum + weight, 0)
    this.#sum = candidates.reduce((sum, { load }) => sum + load, 0)
  }

  /** The mean by weight, as it would be with one client more. */
  get withOneMore(): number {
    return (this.#sum + 1) / this.#weight
  }

  changed(backend: Backend): void {
    const known = this.#known.get(backend)
    if (known === undefined) return
    this.#known.set(backend, backend.load)
    this.#sum += backend.load - known
  }
}

function assertBound(bound: unknown): void {
  if (bound === false || (typeof bound === 'number' && bound >= 1 && bound < Infinity)) return
  const message = `hash: boundedLoad: got ${messageOf(bound)}; expected a number, 1 or more, such as 1.25, or false`
  throw new ConfigError([{ path: '', message }])
}
