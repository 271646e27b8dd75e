import { assertOptions } from '../core/assert-options.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { quietly } from '../core/quietly.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type AnswerHeaders, type AnswerObserver } from './answer-observer.ts'
import { colyseus } from './learned-colyseus.ts'
import { engineIo } from './learned-engine-io.ts'
import { type LearnedRule } from './learned-rule.ts'
import { signalR } from './learned-signalr.ts'
import { sockJs } from './learned-sockjs.ts'
import { DEFAULT_LIMITS, type MemoryLimits } from './memory.ts'
import { type StickyStrategy } from './strategy.ts'

export interface LearnedOptions {
  /** Ids remembered at most; the one not seen for longest goes first. @default 100000 */
  max?: number
  /** How long an id is remembered after it was last seen. @default '1h' */
  ttl?: Duration
}

/** The built-in rules by name. */
const RULES = {
  'engine.io': engineIo,
  sockjs: sockJs,
  signalr: signalR,
  colyseus,
} as const satisfies Record<string, LearnedRule>

/** What `learned` knows by itself. */
export type LearnedName = keyof typeof RULES

const DEFAULT_MAX_BODY = 16_384
const LARGEST_MAX_BODY = 1_048_576

/**
 * Stickiness without a cookie, by the session id that the application hands out itself: the balancer sees it pass, and
 * remembers which backend it came from. What was learned survives reloads; it is not known to other balancers, nor after
 * a restart. Embedded, it needs `handleRequest`: `pick()` sees no answers.
 * @param from a built-in rule by name, or one of your own
 * @throws ConfigError when an argument is not valid
 */
export function learned(from: LearnedName | LearnedRule, options: LearnedOptions = {}): StickyStrategy {
  const rule = ruleOf(from)
  assertOptions('learned', options, { max: true, ttl: true })
  const { maxBody = DEFAULT_MAX_BODY, fromRequests = !rule.idFromAnswer } = rule
  if (!Number.isInteger(maxBody) || maxBody < 1 || maxBody > LARGEST_MAX_BODY)
    throw invalid(`maxBody must be a whole number of bytes from 1 to ${LARGEST_MAX_BODY}`)

  const idOf = (request: IncomingRequest) => idsIn(quietly(() => rule.id(request)))[0]

  function isOpening(request: IncomingRequest, carried: string | undefined): boolean {
    if (!rule.idFromAnswer) return false
    return rule.opens ? quietly(() => rule.opens!(request)) === true : carried === undefined
  }

  function counts(request: IncomingRequest, status: number, headers: AnswerHeaders): boolean {
    if (!rule.answers) return status >= 200 && status < 300
    return quietly(() => rule.answers!(request, status, headers)) === true
  }

  return {
    name: rule.name,
    memory: limitsOf(options),
    find(request, backends, memory) {
      const carried = idOf(request)
      const backend = carried === undefined ? undefined : memory.get(carried)
      return backend && backends.get(backend.id) === backend ? backend : undefined
    },
    observe(request, backend, memory): AnswerObserver | undefined {
      const carried = idOf(request)
      const isNew = fromRequests && carried !== undefined && memory.get(carried) !== backend
      const opening = isOpening(request, carried)
      if (!isNew && !opening) return undefined
      return {
        maxBody,
        onHead(status, headers) {
          const isOne = counts(request, status, headers)
          if (isOne && isNew) memory.set(carried, backend)
          return isOne && opening
        },
        onBody(body) {
          const ids = idsIn(quietly(() => rule.idFromAnswer!(body, request)))
          for (const id of ids) memory.set(id, backend)
          return ids.length > 0
        },
      }
    },
  }
}

/** Whatever the user's own code gives. */
function idsIn(given: unknown): string[] {
  // Nearly always, and for every request.
  if (typeof given === 'string') return given === '' ? [] : [given]
  return [given].flat().filter((id): id is string => typeof id === 'string' && id !== '')
}

function ruleOf(from: unknown): LearnedRule {
  if (typeof from === 'string' && Object.hasOwn(RULES, from)) return RULES[from as LearnedName]
  const rule = from as Partial<LearnedRule> | null
  if (typeof rule === 'object' && typeof rule?.name === 'string' && typeof rule.id === 'function')
    return rule as LearnedRule
  const names = Object.keys(RULES).map((name) => `"${name}"`)
  throw invalid(`expected ${names.join(', ')}, or a rule (an object with name and id)`)
}

function limitsOf({ max = DEFAULT_LIMITS.max, ttl = DEFAULT_LIMITS.ttl }: LearnedOptions): MemoryLimits {
  if (!Number.isInteger(max) || max < 1) throw invalid('max must be a whole number from 1')
  const ms = parseDuration(ttl)
  if (ms === undefined || ms <= 0)
    throw invalid(`ttl ${JSON.stringify(ttl)} is not a duration like '30m' or '24h'`)
  return { max, ttl: ms }
}

function invalid(message: string): ConfigError {
  return new ConfigError([{ path: '', message: `learned: ${message}` }])
}
