import { LOST_CAUSES, LOST_ENDS, type LostAction, type LostCause, type OnLost } from '../pool/on-lost.ts'
import { depends, isObject, object, oneOf, type Rule } from './rule.ts'
import { positiveDuration } from './values.ts'

const FORMS = ', { wait: "10s", then: "rebalance" }, or an object of these by cause: down, draining, full'

const held: Rule<LostAction> = object('an object with wait', {
  wait: positiveDuration,
  then: oneOf(LOST_ENDS).default('rebalance'),
})

const action: Rule<LostAction> = depends((given) =>
  isObject(given) ? held : oneOf(LOST_ENDS, FORMS).transform((then) => ({ wait: 0, then })),
)

const elsewhere: LostAction = { wait: 0, then: 'rebalance' }

const byCause: Rule<OnLost> = object('an object by cause', {
  down: action.default(elsewhere),
  draining: action.default(elsewhere),
  full: action.default(elsewhere),
})

export const onLost: Rule<OnLost> = depends((given) =>
  isByCause(given) ? byCause : action.transform((one) => ({ down: one, draining: one, full: one })),
)

function isByCause(given: unknown): boolean {
  return isObject(given) && !('wait' in given) && !('then' in given)
}

/** `undefined` for what would happen without it: then nothing is asked of it at run time. */
export function unlessDefault(onLost: OnLost): OnLost | undefined {
  const isDefault = ({ wait, then }: LostAction) => wait === 0 && then === 'rebalance'
  return LOST_CAUSES.every((cause: LostCause) => isDefault(onLost[cause])) ? undefined : onLost
}
