import { type Backend } from '../core/backend.ts'
import { type Tunnel } from './tunnel.ts'

/** Every open tunnel, by id and by backend; the oldest first. */
export class Tunnels {
  readonly #byId = new Map<number, Tunnel>()
  readonly #byBackend = new Map<Backend, Set<Tunnel>>()
  #lastId = 0

  get size(): number {
    return this.#byId.size
  }

  /** Ids are unique in this balancer, and never used again. */
  nextId(): number {
    return ++this.#lastId
  }

  add(tunnel: Tunnel): void {
    const { backend } = tunnel
    let tunnels = this.#byBackend.get(backend)
    if (!tunnels) this.#byBackend.set(backend, (tunnels = new Set()))
    tunnels.add(tunnel)
    this.#byId.set(tunnel.id, tunnel)
    backend.tunnels++
  }

  delete(tunnel: Tunnel): void {
    if (!this.#byId.delete(tunnel.id)) return
    const tunnels = this.#byBackend.get(tunnel.backend)!
    tunnels.delete(tunnel)
    if (tunnels.size === 0) this.#byBackend.delete(tunnel.backend)
    tunnel.backend.tunnels--
  }

  get(id: number): Tunnel | undefined {
    return this.#byId.get(id)
  }

  of(backend: Backend): readonly Tunnel[] {
    return [...(this.#byBackend.get(backend) ?? [])]
  }

  /** Whoever comes or leaves while it is gone through is no trouble. */
  [Symbol.iterator](): Iterator<Tunnel, undefined> {
    return this.#byId.values()
  }

  all(): readonly Tunnel[] {
    return [...this.#byId.values()]
  }
}
