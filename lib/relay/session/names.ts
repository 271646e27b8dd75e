import { ConfigError } from '../../core/errors.ts'

/** Channels that are the relay's own begin with it. */
export const RESERVED = '@'

/** @throws ConfigError for what cannot be the name of something */
export function named(path: string, name: string): string {
  if (typeof name === 'string' && name !== '') return name
  throw noName(path, name, 'expected a text')
}

/** @throws ConfigError for a name that cannot be a channel's */
export function channelNamed(name: string): string {
  if (!named('channel', name).startsWith(RESERVED)) return name
  throw noName('channel', name, `expected a text that does not begin with ${RESERVED}`)
}

function noName(path: string, name: unknown, expected: string): ConfigError {
  return new ConfigError([{ path, message: `${expected}, got ${JSON.stringify(name)}` }])
}
