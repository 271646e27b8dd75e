import { type Backend } from '../core/backend.ts'
import { type Tunnel } from './tunnel.ts'

/** Every open tunnel, by backend. */
export class Tunnels {
  readonly #byBackend = new Map<Backend, Set<Tunnel>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(tunnel: Tunnel): void {
    const { backend } = tunnel
    let tunnels = this.#byBackend.get(backend)
    if (!tunnels) this.#byBackend.set(backend, (tunnels = new Set()))
    tunnels.add(tunnel)
    backend.tunnels++
    this.#size++
  }

  delete(tunnel: Tunnel): void {
    const tunnels = this.#byBackend.get(tunnel.backend)
    if (!tunnels?.delete(tunnel)) return
    if (tunnels.size === 0) this.#byBackend.delete(tunnel.backend)
    tunnel.backend.tunnels--
    this.#size--
  }

  of(backend: Backend): readonly Tunnel[] {
    return [...(this.#byBackend.get(backend) ?? [])]
  }

  all(): readonly Tunnel[] {
    return [...this.#byBackend.values()].flatMap((tunnels) => [...tunnels])
  }
}
