export interface BackendEvent {
  /** Id of the backend. */
  readonly backend: string
  readonly pool: string
}

export interface BackendTroubleEvent extends BackendEvent {
  /** What was seen, e.g. `connect ECONNREFUSED 127.0.0.1:3001`. */
  readonly reason: string
}

export interface BackendUpEvent extends BackendEvent {
  /** Milliseconds since it was declared down. */
  readonly downFor: number
  /** The last failure that was seen. */
  readonly reason: string
}

/** What `health.onDown` decides about the open tunnels of a backend that is declared down. */
export interface BackendTunnelsEvent extends BackendEvent {
  /** With `drain` all of them were asked for a sign of life; `keep` and `cut` ask nobody. */
  readonly onDown: 'drain' | 'keep' | 'cut'
  /** Tunnels that live on; with `drain` because they answer. */
  readonly kept: number
  /** Tunnels that are closed; with `drain` because nothing came back, and unless it does before their turn. */
  readonly closing: number
  /** Milliseconds over which they are closed; 0 with `cut`. */
  readonly over: number
}

export interface BackendDrainedEvent extends BackendEvent {
  /** Tunnels and requests that were cut because the deadline had come. */
  readonly cut: number
}
