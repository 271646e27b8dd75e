import { ConfigError, messageOf } from './errors.ts'

/** Milliseconds, or a number with a unit: `'500ms'`, `'10s'`, `'1.5m'`, `'1h'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h'}`

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** The longest delay a Node timer can hold (2^31 − 1 ms, about 24.8 days); longer ones would fire at once. */
export const MAX_DURATION = 2_147_483_647

/** @returns milliseconds, or `undefined` when `value` is not a duration in [0, {@link MAX_DURATION}]. */
export function parseDuration(value: unknown): number | undefined {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? fromText(value) : NaN
  return ms >= 0 && ms <= MAX_DURATION ? ms : undefined
}

/** {@link parseDuration} for an argument called `name`. @throws ConfigError when it is not a duration */
export function durationArgument(name: string, value: unknown): number {
  const ms = parseDuration(value)
  if (ms === undefined)
    throw new ConfigError([
      { path: name, message: `${messageOf(value)} is not a duration such as 500 or "10s"` },
    ])
  return ms
}

function fromText(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim())
  return match ? Number(match[1]) * UNITS[match[2]!]! : NaN
}
