import { EJECTION_DEFAULTS, type EjectionOptions } from './ejection-options.ts'
import { type HttpExpectation } from './http-probe.ts'
import { type Probe } from './probe.ts'

/** What becomes of the open tunnels of a backend that is declared down. */
export const ON_DOWN = ['drain', 'keep', 'cut'] as const
export type OnDown = (typeof ON_DOWN)[number]

/** The built-in probes by name. */
export const PROBES = ['http', 'tcp', 'websocket'] as const
export type ProbeName = (typeof PROBES)[number]

/** Milliseconds between two probes of one backend, ±10 % jitter, by its health. */
export interface Rhythm {
  readonly up: number
  /** Unless given, a tenth of the debounce: at least 100, at most `up`. */
  readonly suspect?: number
  /** Unless given, as `up`. */
  readonly down?: number
}

/** How a backend is asked. As it was written and not as a function, so that one backend can differ in a part of it. */
export interface ProbeSettings {
  readonly probe: ProbeName | Probe
  /** Another port of the same host, without TLS. */
  readonly port?: number
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly expect?: HttpExpectation
  readonly ping?: boolean
}

/** How a backend is watched. All times in milliseconds. */
export interface HealthOptions extends ProbeSettings {
  readonly interval: Rhythm
  /** A probe that has not answered by then has failed. */
  readonly timeout: number
  /** How long a backend may be suspect before it is declared down. */
  readonly debounce: number
  /** Failures in a row without which no backend is declared down. */
  readonly fall: number
  /** Successful probes in a row that bring a down backend up. */
  readonly rise: number
  readonly onDown: OnDown
}

/** How the health loop of a pool runs. */
export interface PoolHealth extends HealthOptions {
  /** With every backend down: try them in policy order rather than refuse. */
  readonly lastResort: boolean
  /** `false`: nobody is ejected. */
  readonly ejection: EjectionOptions | false
  /** Below this share of usable backends health and ejections count for nothing; 0: never. */
  readonly panicThreshold: number
}

export const DEFAULT_HEALTH: PoolHealth = {
  probe: 'http',
  interval: { up: 10_000 },
  timeout: 5_000,
  debounce: 10_000,
  fall: 1,
  rise: 1,
  onDown: 'drain',
  lastResort: true,
  ejection: EJECTION_DEFAULTS,
  panicThreshold: 0,
}

/** What one backend has otherwise than its pool; `false`: it is not watched. */
export type HealthOverride = false | Partial<Omit<HealthOptions, 'interval'> & { interval: Partial<Rhythm> }>

/** Which probes an option is for; those that are not here are for all. */
export const PROBES_WITH: Readonly<Partial<Record<string, readonly ProbeName[]>>> = {
  method: ['http'],
  path: ['http', 'websocket'],
  headers: ['http', 'websocket'],
  expect: ['http'],
  ping: ['websocket'],
}

/** The options of a pool with those of a backend over them. A probe of another kind takes nothing of the pool's one. */
export function mergeHealth<T extends HealthOptions>(base: T, own: Exclude<HealthOverride, false>): T {
  const given = Object.fromEntries(Object.entries(own).filter(([, option]) => option !== undefined))
  const isOther = own.probe !== undefined && own.probe !== base.probe
  const kept = Object.entries(base).filter(([name]) => !isOther || !PROBES_WITH[name])
  return { ...(Object.fromEntries(kept) as T), ...given, interval: { ...base.interval, ...own.interval } }
}

/** How one backend is watched, if it is. @param pool `undefined`: the others are not */
export function healthOf(
  pool: HealthOptions | undefined,
  own: HealthOverride | undefined,
): HealthOptions | undefined {
  if (own === undefined) return pool
  return own === false ? undefined : mergeHealth(pool ?? DEFAULT_HEALTH, own)
}
