import { type Hook, type SelectHook } from '../proxy/hooks.ts'
import { type MessageHook, type MessageRule } from '../proxy/message-hook.ts'
import { depends, isObject, object, oneOf, type Rule, value } from './rule.ts'
import { count, fn } from './values.ts'

const DEFAULTS = { maxSize: 1_048_576, concurrency: 16, from: 'both' } as const

const messageHook = fn<MessageHook>()

const messageOptions: Rule<MessageRule> = object('', {
  hook: messageHook,
  maxSize: count.default(DEFAULTS.maxSize),
  concurrency: count.default(DEFAULTS.concurrency),
  from: oneOf(['client', 'backend', 'both']).default(DEFAULTS.from),
})

const plainHook: Rule<MessageRule> = fn<MessageHook>('a function, or an object with hook').transform(
  (hook) => ({
    hook,
    ...DEFAULTS,
  }),
)

const onMessage: Rule<MessageRule> = depends((given) => (isObject(given) ? messageOptions : plainHook))

const onMessageHere: Rule<MessageRule | false> = depends<MessageRule | false>((given) =>
  given === false ? value('', () => false as const) : onMessage,
)

const selectHere: Rule<SelectHook | false> = value('a function, or false', (given) =>
  given === false || typeof given === 'function' ? (given as SelectHook | false) : undefined,
)

export const hooks = object('an object with onRequest, onUpgrade, select, onMessage', {
  onRequest: fn<Hook>().optional(),
  onUpgrade: fn<Hook>().optional(),
  select: fn<SelectHook>().optional(),
  onMessage: onMessage.optional(),
})

export const routeHooks = object('an object with select, onMessage', {
  select: selectHere.optional(),
  onMessage: onMessageHere.optional(),
})
