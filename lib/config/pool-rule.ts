import { hash } from '../balancing/hash.ts'
import { leastConnections } from '../balancing/least-connections.ts'
import { leastTime } from '../balancing/least-time.ts'
import { p2c } from '../balancing/p2c.ts'
import { type Policy } from '../balancing/policy.ts'
import { random } from '../balancing/random.ts'
import { roundRobin } from '../balancing/round-robin.ts'
import { RETRY_BUDGET_DEFAULTS } from '../pool/retry-budget.ts'
import { stickyCookie } from '../sticky/cookie.ts'
import { hashBy } from '../sticky/hash-by.ts'
import { learned } from '../sticky/learned.ts'
import { PRESETS, type PresetName } from '../sticky/presets.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { health } from './health-rule.ts'
import { onLost } from './on-lost-rule.ts'
import { rebalance } from './rebalance-rule.ts'
import { retryBudget } from './retries-rule.ts'
import { slowStart } from './slow-start-rule.ts'
import { backends, discovery } from './source-rule.ts'
import { depends, isObject, list, mistaken, object, oneOf, type Rule, value } from './rule.ts'

/** The built-in policies by name. A new one is a file in `balancing/` and a line here, in `config.ts` and in `index.ts`. */
const POLICIES = {
  random,
  'round-robin': roundRobin,
  'least-connections': leastConnections,
  p2c,
  'least-time': leastTime,
  hash,
} as const satisfies Record<string, () => Policy>

const policyName = oneOf(
  Object.keys(POLICIES) as (keyof typeof POLICIES)[],
  ', or a policy (an object with name and pick)',
)

const policy: Rule<Policy> = depends((given) => {
  const called = uncalled(given, Object.values(POLICIES))
  if (called !== undefined) return mistaken(called)
  if (isStrategy(given) && !isPolicy(given))
    return mistaken('a strategy is for sticky; a policy by a key is hash({ key: … })')
  return isObject(given)
    ? value('a policy: an object with a name and a pick function', (given) =>
        isPolicy(given) ? given : undefined,
      )
    : policyName.transform((name) => POLICIES[name]())
})

/** Strategies and names of them: what a name means depends on the pool. */
export type StickyItem = 'cookie' | PresetName | StickyStrategy

const STICKY_NAMES = ['cookie', ...(Object.keys(PRESETS) as PresetName[])] as const

const STICKY = ', a strategy (an object with name and find), a list of them, or false'

const stickyItem: Rule<StickyItem> = depends<StickyItem>((given) => {
  const called = uncalled(given, [stickyCookie, learned, hashBy])
  if (called !== undefined) return mistaken(called)
  if (isPolicy(given) && !isStrategy(given))
    return mistaken('a policy is for balance; a strategy by a key is hashBy(…)')
  return isObject(given)
    ? value('a strategy: an object with a name and a find function', (given) =>
        isStrategy(given) ? given : undefined,
      )
    : oneOf(STICKY_NAMES, STICKY)
})

const sticky: Rule<StickyItem[]> = depends((given) => {
  if (given === false) return value('', () => [])
  return Array.isArray(given) ? list('', stickyItem) : stickyItem.transform((one) => [one])
})

export const poolShape = {
  backends,
  discovery: discovery.default(() => discovery.parse({})),
  balance: policy.default(random),
  sticky: sticky.default(['cookie']),
  onLost: onLost.default(() => onLost.parse('rebalance')),
  health: health.default(() => health.parse({})),
  rebalance: rebalance.default(false),
  retryBudget: retryBudget.default(RETRY_BUDGET_DEFAULTS),
  slowStart: slowStart.default(false),
}

export const pool = object('an object with backends', poolShape)

/** What helps, when it is a function that makes what is wanted. */
function uncalled(given: unknown, makers: readonly { readonly name: string; readonly length: number }[]) {
  const maker = makers.find((one) => one === given)
  return maker && `${maker.name} is to be called: ${maker.name}(${maker.length > 0 ? '…' : ''})`
}

function isPolicy(given: unknown): given is Policy {
  if (!isObject(given) || typeof given.name !== 'string' || typeof given.pick !== 'function') return false
  return given.loadChanged === undefined || typeof given.loadChanged === 'function'
}

function isStrategy(given: unknown): given is StickyStrategy {
  return isObject(given) && typeof given.name === 'string' && typeof given.find === 'function'
}
