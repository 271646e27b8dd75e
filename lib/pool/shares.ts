import { type Backend } from '../core/backend.ts'

/** Tunnels by backend: how many it has, or how many it should have. */
export type TunnelCount = (backend: Backend) => number

const counted: TunnelCount = ({ tunnels }) => tunnels

/**
 * How many tunnels each backend should have: the mean by weight, over all that are up and take new clients. The others
 * have no share, and theirs do not count; nor do backups while another one is up.
 * @param away tunnels that were closed and are expected to be opened again
 */
export function sharesOf(
  backends: Iterable<Backend>,
  away: number,
  open: TunnelCount = counted,
): ReadonlyMap<Backend, number> {
  const usable = [...backends].filter(isUsable)
  const primary = usable.filter(({ settings }) => !settings.backup)
  const members = primary.length > 0 ? primary : usable
  const total = members.reduce((sum, backend) => sum + open(backend), away)
  const weights = members.reduce((sum, { weight }) => sum + weight, 0)
  return new Map(members.map((backend) => [backend, exact((total * backend.weight) / weights)]))
}

/** Weights like 0.1 have sums like 0.30000000000000004: a share of 30 is not to be 29.99…, which is 29 whole tunnels. */
function exact(share: number): number {
  return Math.round(share * 1e6) / 1e6
}

/** Whole tunnels that fit in below the shares, and below `maxConnections`. */
export function roomIn(shares: ReadonlyMap<Backend, number>, open: TunnelCount = counted): number {
  let room = 0
  for (const [backend, share] of shares) {
    const { load, settings } = backend
    room += Math.max(0, Math.floor(Math.min(share - open(backend), settings.maxConnections - load)))
  }
  return room
}

function isUsable({ adminState, health, ejectedUntil, weight }: Backend): boolean {
  return adminState === 'active' && health === 'up' && ejectedUntil === undefined && weight > 0
}
