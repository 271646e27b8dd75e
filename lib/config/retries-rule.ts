import { z } from 'zod'
import { RETRY_BUDGET_DEFAULTS, type RetryBudgetOptions } from '../pool/retry-budget.ts'
import { depends, object, type Rule } from './rule.ts'
import { amount, positiveDuration } from './values.ts'

const { share, minPerSecond, window } = RETRY_BUDGET_DEFAULTS

const options = object('an object, or false', {
  share: amount.default(share),
  minPerSecond: amount.default(minPerSecond),
  window: positiveDuration.default(window),
})

/** `false`: every failure that may be tried again is. */
export const retryBudget: Rule<RetryBudgetOptions | false> = depends<RetryBudgetOptions | false>((given) =>
  given === false ? z.literal(false) : options,
)
