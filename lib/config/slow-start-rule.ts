import { z } from 'zod'
import { SLOW_START_DEFAULTS, type SlowStartOptions } from '../pool/slow-start.ts'
import { type Duration } from '../core/duration.ts'
import { depends, isObject, object, type Rule, value } from './rule.ts'
import { limit, positiveDuration } from './values.ts'

/** What the config takes. */
export interface SlowStartConfig {
  /** Until it has all of its weight. @default '30s' */
  over?: Duration
  /** Part of its weight that it begins with: above 0, and at most 1. @default 0.1 */
  from?: number
  /**
   * New WebSockets a second that it takes at the end of that time, and before as much of them as of its weight. What
   * comes on top goes to others; when nobody else takes it, it gets them all the same. @default 100
   */
  maxHandshakesPerSecond?: number
}

const { over, from, maxHandshakesPerSecond } = SLOW_START_DEFAULTS

const share: Rule<number> = value('a number above 0, and at most 1', (given) =>
  typeof given === 'number' && given > 0 && given <= 1 ? given : undefined,
)

const options = object('a duration like "30s", an object, or false', {
  over: positiveDuration.default(over),
  from: share.default(from),
  maxHandshakesPerSecond: limit.default(maxHandshakesPerSecond),
})

const duration: Rule<SlowStartOptions> = value(
  'a duration like "30s", an object with over, from, maxHandshakesPerSecond, or false',
  (given) => {
    const { data } = positiveDuration.safeParse(given)
    return data === undefined ? undefined : { ...SLOW_START_DEFAULTS, over: data }
  },
)

/** `false`: who comes has all of its weight at once. */
export const slowStart: Rule<SlowStartOptions | false> = depends<SlowStartOptions | false>((given) => {
  if (given === false) return z.literal(false)
  return isObject(given) ? options : duration
})
