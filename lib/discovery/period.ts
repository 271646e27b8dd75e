import { type Duration, durationArgument } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'

/** A duration above 0 for an argument called `name`, in milliseconds. @throws ConfigError when it is none */
export function period(name: string, duration: Duration): number {
  const ms = durationArgument(name, duration)
  if (ms === 0) throw new ConfigError([{ path: name, message: 'got 0; expected a duration above 0' }])
  return ms
}
