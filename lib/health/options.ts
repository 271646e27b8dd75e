import { type Probe } from './probe.ts'

/** What becomes of the open tunnels of a backend that is declared down. */
export const ON_DOWN = ['drain', 'keep', 'cut'] as const
export type OnDown = (typeof ON_DOWN)[number]

/** How the health loop of a pool runs. All times in milliseconds. */
export interface HealthOptions {
  readonly probe: Probe
  /** Between two probes of one backend, ±10 % jitter. */
  readonly interval: number
  /** A probe that has not answered by then has failed. */
  readonly timeout: number
  /** How long a backend may be suspect before it is declared down. */
  readonly debounce: number
  /** Successful probes in a row that bring a down backend up. */
  readonly rise: number
  /** With every backend down: try them in policy order rather than refuse. */
  readonly lastResort: boolean
  readonly onDown: OnDown
}
