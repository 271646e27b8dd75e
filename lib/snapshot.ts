import { type AdminState, type Health } from './core/backend.ts'
import { type ListenerAddress } from './listener/listener.ts'
import { type Pools } from './pool/pools.ts'

/** The state of a balancer as plain JSON. */
export interface Snapshot {
  readonly pools: readonly PoolSnapshot[]
  readonly backends: readonly BackendSnapshot[]
  readonly listeners: readonly ListenerAddress[]
  /** Client sockets open on our own listeners. */
  readonly connections: number
}

export interface PoolSnapshot {
  readonly name: string
  /** Name of the balancing policy. */
  readonly balance: string
  /** Names of the sticky strategies, in order. */
  readonly sticky: readonly string[]
  /** Ids of its backends. */
  readonly backends: readonly string[]
}

export interface BackendSnapshot {
  readonly id: string
  readonly pool: string
  readonly url: string
  readonly health: Health
  readonly adminState: AdminState
  readonly weight: number
  readonly backup: boolean
  /** `null`: unlimited. */
  readonly maxConnections: number | null
  /** Open tunnels, handshakes under way and requests under way. */
  readonly load: number
  /** Open tunnels. */
  readonly tunnels: number
  /** Since the backend was added: requests that ended on it, upgrades it accepted, failures it is to blame for. */
  readonly requests: number
  readonly upgrades: number
  readonly failures: number
}

export function snapshotOf(
  pools: Pools,
  listeners: readonly ListenerAddress[],
  connections: number,
): Snapshot {
  return {
    pools: [...pools.byName.values()].map(({ name, spec: { policy, sticky }, backends }) => ({
      name,
      balance: policy.name,
      sticky: sticky.map((strategy) => strategy.name),
      backends: [...backends.keys()],
    })),
    backends: pools.members().map(({ backend }) => {
      const { id, pool, url, health, adminState, load, tunnels, counters, settings } = backend
      const { weight, backup, maxConnections } = settings
      const limit = Number.isFinite(maxConnections) ? maxConnections : null
      return {
        id,
        pool,
        url: url.origin,
        health,
        adminState,
        weight,
        backup,
        maxConnections: limit,
        load,
        tunnels,
        ...counters,
      }
    }),
    listeners,
    connections,
  }
}
