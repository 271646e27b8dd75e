import { z } from 'zod'
import {
  EJECTION_DEFAULTS,
  type EjectionOptions,
  ERROR_SHARE_DEFAULTS,
  type ErrorShare,
} from '../health/ejection-options.ts'
import { depends, object, type Rule } from './rule.ts'
import { count, durationOrFalse, part, positiveDuration } from './values.ts'

const errorShare = object('an object, or false', {
  share: part.default(ERROR_SHARE_DEFAULTS.share),
  min: count.default(ERROR_SHARE_DEFAULTS.min),
  window: positiveDuration.default(ERROR_SHARE_DEFAULTS.window),
})

const errors: Rule<ErrorShare | false> = depends<ErrorShare | false>((given) =>
  given === false ? z.literal(false) : errorShare,
)

const options: Rule<EjectionOptions> = object('an object, or false', {
  failures: count.default(EJECTION_DEFAULTS.failures),
  earlyClose: durationOrFalse.default(EJECTION_DEFAULTS.earlyClose),
  errors: errors.default(EJECTION_DEFAULTS.errors),
  time: positiveDuration.default(EJECTION_DEFAULTS.time),
  maxTime: positiveDuration.optional(),
  maxShare: part.default(EJECTION_DEFAULTS.maxShare),
}).transform(({ maxTime, ...given }, context) => {
  if (maxTime !== undefined && maxTime < given.time) {
    const message = `is shorter than the time of ${given.time} ms; make it longer, or the time shorter`
    context.addIssue({ code: 'custom', path: ['maxTime'], message })
  }
  return { ...given, maxTime: maxTime ?? Math.max(EJECTION_DEFAULTS.maxTime, given.time) }
})

/** `false`: nobody is ejected. */
export const ejection: Rule<EjectionOptions | false> = depends<EjectionOptions | false>((given) =>
  given === false ? z.literal(false) : options,
)
