/** How a pool evens out its tunnels. */
export interface RebalanceOptions {
  /** How far above its share a backend may be before it gives tunnels away, as a part of the share. */
  readonly tolerance: number
  /** Tunnels closed in a minute at most. */
  readonly perMinute: number
  /** Milliseconds; younger tunnels are left alone. */
  readonly minAge: number
}

export const REBALANCE_DEFAULTS: RebalanceOptions = { tolerance: 0.1, perMinute: 60, minAge: 60_000 }
