import { type Random } from '../core/clock.ts'
import { type Tunnel } from './tunnel.ts'

/** Who is first when tunnels are closed at a pace: who would notice least, or who came first or last. */
export const DRAIN_ORDERS = ['idle-first', 'oldest-first', 'newest-first', 'random'] as const
export type DrainOrder = (typeof DRAIN_ORDERS)[number]

/** @param tunnels the oldest first */
export function inOrder(tunnels: readonly Tunnel[], order: DrainOrder, random: Random): readonly Tunnel[] {
  switch (order) {
    case 'idle-first':
      return byKey(tunnels, ({ idle }) => -idle)
    case 'oldest-first':
      return tunnels
    case 'newest-first':
      return [...tunnels].reverse()
    case 'random':
      return byKey(tunnels, random)
  }
}

function byKey(tunnels: readonly Tunnel[], key: (tunnel: Tunnel) => number): readonly Tunnel[] {
  return tunnels
    .map((tunnel) => ({ tunnel, key: key(tunnel) }))
    .sort((a, b) => a.key - b.key)
    .map(({ tunnel }) => tunnel)
}
