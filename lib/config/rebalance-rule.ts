import { z } from 'zod'
import { REBALANCE_DEFAULTS, type RebalanceOptions } from '../pool/rebalance-options.ts'
import { depends, object, type Rule } from './rule.ts'
import { amount, count, duration } from './values.ts'

const { tolerance, perMinute, minAge } = REBALANCE_DEFAULTS

const options = object('an object, or false', {
  tolerance: amount.default(tolerance),
  perMinute: count.default(perMinute),
  minAge: duration.default(minAge),
})

/** `false`: only when `rebalance()` is called. */
export const rebalance: Rule<RebalanceOptions | false> = depends<RebalanceOptions | false>((given) =>
  given === false ? z.literal(false) : options,
)
