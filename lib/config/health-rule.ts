import { validateHeaderName, validateHeaderValue } from 'node:http'
import { z } from 'zod'
import {
  type ExpectedStatus,
  HEAD_HAS_NO_BODY,
  type HttpExpectation,
  expectedBody,
} from '../health/http-probe.ts'
import {
  DEFAULT_HEALTH,
  type HealthOverride,
  mergeHealth,
  ON_DOWN,
  type PoolHealth,
  PROBES,
  PROBES_WITH,
  type ProbeSettings,
  type Rhythm,
} from '../health/options.ts'
import { type Probe } from '../health/probe.ts'
import { depends, isObject, list, mismatch, object, oneOf, type Rule, value } from './rule.ts'
import { ejection } from './outlier-rule.ts'
import { boolean, count, duration, fn, part, positiveDuration, text } from './values.ts'

const method: Rule<string> = value('an HTTP method like "HEAD" or "GET"', (given) =>
  typeof given === 'string' && /^[A-Z]+$/.test(given) && given !== 'CONNECT' ? given : undefined,
)

const path: Rule<string> = value('a path like "/health", without spaces', (given) =>
  typeof given === 'string' && /^\/[\x21-\x7e]*$/.test(given) ? given : undefined,
)

const headers: Rule<Record<string, string>> = z.record(
  value('a header name', (name) =>
    isValid(() => validateHeaderName(name as string)) ? (name as string) : undefined,
  ),
  value('a header value', (given) =>
    typeof given === 'string' && isValid(() => validateHeaderValue('x', given)) ? given : undefined,
  ),
  { error: (issue) => mismatch(issue.input, 'an object of header names and values') },
)

const status: Rule<number> = value('a status, 100 to 599', (given) =>
  Number.isInteger(given) && Number(given) >= 100 && Number(given) <= 599 ? (given as number) : undefined,
)

const expectedStatus: Rule<ExpectedStatus> = depends<ExpectedStatus>((given) => {
  if (typeof given === 'function') return fn<(status: number) => boolean>()
  return Array.isArray(given) ? list('', status) : status
})

const body: Rule<string | RegExp> = depends<string | RegExp>((given) =>
  given instanceof RegExp ? z.instanceof(RegExp) : text,
)

const expect: Rule<HttpExpectation> = depends<HttpExpectation>((given) =>
  isObject(given) ? object('', { status: expectedStatus.optional(), body: body.optional() }) : expectedStatus,
)

const port: Rule<number> = value('a port, 1 to 65535', (given) =>
  Number.isInteger(given) && Number(given) >= 1 && Number(given) <= 65_535 ? (given as number) : undefined,
)

const rhythm: Rule<Partial<Rhythm>> = depends<Partial<Rhythm>>((given) =>
  isObject(given)
    ? object('', {
        up: positiveDuration.optional(),
        suspect: positiveDuration.optional(),
        down: positiveDuration.optional(),
      })
    : positiveDuration.transform((up) => ({ up })),
)

const probe: Rule<ProbeSettings['probe']> = depends<ProbeSettings['probe']>((given) =>
  typeof given === 'function' ? fn<Probe>() : oneOf(PROBES, ', or a function'),
)

/** Nothing has a default here: a backend takes from its pool what it does not say. */
const shape = {
  probe: probe.optional(),
  port: port.optional(),
  method: method.optional(),
  path: path.optional(),
  headers: headers.optional(),
  expect: expect.optional(),
  ping: boolean.optional(),
  interval: rhythm.optional(),
  timeout: positiveDuration.optional(),
  debounce: duration.optional(),
  fall: count.optional(),
  rise: count.optional(),
  onDown: oneOf(ON_DOWN).optional(),
}

const poolShape = {
  lastResort: boolean.default(DEFAULT_HEALTH.lastResort),
  ejection: ejection.default(DEFAULT_HEALTH.ejection),
  panicThreshold: part.default(DEFAULT_HEALTH.panicThreshold),
}

const FORM = 'an object, or false'

/** `false`: no health loop. */
export const health: Rule<PoolHealth | false> = depends<PoolHealth | false>((given) => {
  if (given === false) return z.literal(false)
  const kind = isObject(given) ? (given.probe ?? DEFAULT_HEALTH.probe) : undefined
  return object(FORM, { ...shape, ...poolShape, ...misfitsOf(kind) }).transform(
    ({ lastResort, ejection, panicThreshold, ...own }, context) => {
      const merged = { ...mergeHealth(DEFAULT_HEALTH, own), lastResort, ejection, panicThreshold }
      for (const { key, message } of healthProblems(merged)) {
        context.addIssue({ code: 'custom', path: [key], message })
      }
      return merged
    },
  )
})

const ofThePool: Rule<undefined> = value(
  'nothing: it is about the whole pool, so write it into its health',
  () => undefined,
)

const notForOne = {
  lastResort: ofThePool.optional(),
  ejection: ofThePool.optional(),
  panicThreshold: ofThePool.optional(),
}

/** What one backend has otherwise than its pool. Whether both fit together is seen in {@link healthProblems}. */
export const healthOverride: Rule<HealthOverride> = depends<HealthOverride>((given) => {
  if (given === false) return z.literal(false)
  const kind = isObject(given) ? given.probe : undefined
  return object(FORM, { ...shape, ...notForOne, ...misfitsOf(kind) })
})

/** Rules that refuse what is not for this kind of probe. @param kind `undefined`: not known yet */
function misfitsOf(kind: unknown): Record<string, Rule<undefined>> {
  if (kind === undefined) return {}
  return Object.fromEntries(
    Object.entries(PROBES_WITH)
      .filter(([, kinds = []]) => !kinds.some((name) => name === kind))
      .map(([key]) => [key, value(onlyFor(key), () => undefined).optional() as unknown as Rule<undefined>]),
  )
}

function onlyFor(key: string): string {
  const kinds = PROBES_WITH[key]!.map((name) => `"${name}"`).join(' or ')
  return `nothing: it is only for probe ${kinds}`
}

/** What does not fit together in settings that are right one by one. */
export function healthProblems(
  settings: ProbeSettings,
): { readonly key: string; readonly message: string }[] {
  const misfits = Object.entries(PROBES_WITH)
    .filter(([key, kinds = []]) => key in settings && !kinds.some((name) => name === settings.probe))
    .map(([key]) => ({
      key,
      message: mismatch(settings[key as keyof ProbeSettings], onlyFor(key), '; say probe as well'),
    }))
  const isHead = settings.method === 'HEAD' && expectedBody(settings.expect) !== undefined
  return isHead ? [...misfits, { key: 'method', message: HEAD_HAS_NO_BODY }] : misfits
}

function isValid(assert: () => void): boolean {
  try {
    assert()
    return true
  } catch {
    return false
  }
}
