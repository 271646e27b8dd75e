import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'
import { MinHeap } from '../core/min-heap.ts'
import { cost } from './cost.ts'

/** Backends of the same cost, in no order. */
interface Bucket {
  readonly cost: number
  readonly backends: Backend[]
}

interface Place {
  bucket: Bucket
  index: number
}

/** Backends by cost. Those of equal cost share a bucket: to draw one of them by chance costs the same for any number. */
export class CostRanking {
  readonly #places = new Map<Backend, Place>()
  readonly #buckets = new Map<number, Bucket>()
  /** Buckets that have become empty stay until they come to the top. */
  #order: MinHeap<Bucket>

  constructor(backends: readonly Backend[]) {
    this.#order = new MinHeap([], isCheaper)
    for (const backend of backends) this.#places.set(backend, this.#enter(backend, cost(backend)))
  }

  /** Whether a backend that is ranked has another cost than the ranking knows of. */
  isStale(backend: Backend): boolean {
    const place = this.#places.get(backend)
    return place !== undefined && place.bucket.cost !== cost(backend)
  }

  /** Cost of a backend may have changed; one that is not ranked is left alone. */
  update(backend: Backend): void {
    const place = this.#places.get(backend)
    if (!place) return
    const now = cost(backend)
    const { bucket, index } = place
    if (now === bucket.cost) return
    const moved = bucket.backends.pop()!
    if (moved !== backend) {
      bucket.backends[index] = moved
      this.#places.get(moved)!.index = index
    }
    const { bucket: next, index: end } = this.#enter(backend, now)
    place.bucket = next
    place.index = end
  }

  /** One of the cheapest. There must be one. */
  draw(chance: Random): Backend {
    for (;;) {
      const { backends, cost } = this.#order.top!
      if (backends.length > 0) return backends[Math.floor(chance() * backends.length)]!
      this.#order.pop()
      this.#buckets.delete(cost)
    }
  }

  #enter(backend: Backend, cost: number): Place {
    let bucket = this.#buckets.get(cost)
    if (!bucket) {
      this.#prune()
      this.#buckets.set(cost, (bucket = { cost, backends: [] }))
      this.#order.push(bucket)
    }
    return { bucket, index: bucket.backends.push(backend) - 1 }
  }

  /** A pool that has been busy and is not any more would keep a bucket for each load there ever was. */
  #prune(): void {
    if (this.#buckets.size < 2 * this.#places.size + 64) return
    for (const [cost, { backends }] of this.#buckets) if (backends.length === 0) this.#buckets.delete(cost)
    this.#order = new MinHeap(this.#buckets.values(), isCheaper)
  }
}

function isCheaper(a: Bucket, b: Bucket): boolean {
  return a.cost < b.cost
}
