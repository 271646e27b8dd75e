import { isIP } from 'node:net'
import { parseDuration } from '../core/duration.ts'
import { isCloseReason, isOurCloseCode } from '../protocol/close-code.ts'
import { type Rule, value } from './rule.ts'

/** The kinds of value that several options share. */

const DURATION = `milliseconds or a duration like "500ms", "10s", "5m", "1h", at most "596h"`

export const duration: Rule<number> = value(`${DURATION}; 0 is allowed`, parseDuration)

export const positiveDuration: Rule<number> = value(
  `${DURATION}; above 0`,
  (given) => parseDuration(given) || undefined,
)

export const durationOrFalse: Rule<number | false> = value(`${DURATION}; above 0, or false`, (given) =>
  given === false ? false : parseDuration(given) || undefined,
)

export const boolean: Rule<boolean> = value('true or false', (given) =>
  typeof given === 'boolean' ? given : undefined,
)

export const text: Rule<string> = value('a string that is not empty', nonEmpty)

export const amount: Rule<number> = value('a number, 0 or more', (given) =>
  typeof given === 'number' && Number.isFinite(given) && given >= 0 ? given : undefined,
)

/** A part of a whole. */
export const part: Rule<number> = value('a number from 0 to 1', (given) =>
  typeof given === 'number' && given >= 0 && given <= 1 ? given : undefined,
)

export const count: Rule<number> = value('a whole number, 1 or more', (given) =>
  typeof given === 'number' && Number.isSafeInteger(given) && given >= 1 ? given : undefined,
)

/** {@link count}, and `Infinity` for "no limit". */
export const limit: Rule<number> = value('a whole number, 1 or more', (given) =>
  given === Infinity ? given : count.safeParse(given).data,
)

export const closeCode: Rule<number> = value(
  'a close code: 1001–1003, 1007–1009, 1012–1014 or 3000–4999',
  (given) => (isOurCloseCode(given) ? given : undefined),
)

export const closeReason: Rule<string> = value('a string of at most 123 bytes in UTF-8', (given) =>
  isCloseReason(given) ? given : undefined,
)

export const addressOrRange: Rule<string> = value('an IP address or a CIDR like "10.0.0.0/8"', (given) => {
  const [address = '', prefix, ...rest] = nonEmpty(given)?.split('/') ?? []
  const bits = isIP(address) === 6 ? 128 : 32
  const valid = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  return isIP(address) && valid && rest.length === 0 ? (given as string) : undefined
})

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`, 'i')

export const host: Rule<string> = value('an IP address or a host name, without scheme and port', (given) => {
  const name = nonEmpty(given)
  // A name of digits and dots alone would be a mistyped IPv4 address.
  return name && (isIP(name) || (HOST_NAME.test(name) && !/^[\d.]+$/.test(name))) ? name : undefined
})

export function fn<T>(allowed = 'a function'): Rule<T> {
  return value(allowed, (given) => (typeof given === 'function' ? (given as T) : undefined))
}

function nonEmpty(given: unknown): string | undefined {
  return typeof given === 'string' && given.trim() !== '' ? given : undefined
}
