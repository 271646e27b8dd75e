import { validateHeaderName, validateHeaderValue } from 'node:http'
import { z } from 'zod'
import { type HealthOptions, ON_DOWN } from '../health/options.ts'
import { httpProbe } from '../health/http-probe.ts'
import { type Probe } from '../health/probe.ts'
import { depends, isObject, list, mismatch, object, oneOf, type Rule, value } from './rule.ts'
import { boolean, count, duration, fn, positiveDuration } from './values.ts'

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

const expect: Rule<(status: number) => boolean> = depends<(status: number) => boolean>((given) => {
  if (typeof given === 'function') return fn()
  if (Array.isArray(given)) return list('', status).transform((all) => (status) => all.includes(status))
  return status.transform((only) => (status) => status === only)
})

const http = {
  method: method.default('HEAD'),
  path: path.default('/'),
  headers: headers.default({}),
  expect: expect.default(() => (status: number) => status >= 200 && status < 400),
}

const loop = {
  interval: positiveDuration.default(10_000),
  timeout: positiveDuration.default(5_000),
  debounce: duration.default(10_000),
  rise: count.default(1),
  lastResort: boolean.default(true),
  onDown: oneOf(ON_DOWN).default('drain'),
}

const byHttp: Rule<HealthOptions> = object('an object, or false', {
  probe: oneOf(['http'], ', or a function').default('http'),
  ...http,
  ...loop,
}).transform(({ method, path, headers, expect, ...loop }) => ({
  ...loop,
  probe: httpProbe({ method, path, headers, expect }),
}))

const onlyForHttp: Rule<undefined> = value('nothing: it is only for probe "http"', () => undefined)

const byFunction: Rule<HealthOptions> = object('an object, or false', {
  probe: fn<Probe>(),
  method: onlyForHttp.optional(),
  path: onlyForHttp.optional(),
  headers: onlyForHttp.optional(),
  expect: onlyForHttp.optional(),
  ...loop,
}).transform(({ probe, interval, timeout, debounce, rise, lastResort, onDown }) => ({
  ...{ probe, interval, timeout, debounce, rise, lastResort, onDown },
}))

/** `false`: no health loop. */
export const health: Rule<HealthOptions | false> = depends<HealthOptions | false>((given) => {
  if (given === false) return z.literal(false)
  return isObject(given) && typeof given.probe === 'function' ? byFunction : byHttp
})

function isValid(assert: () => void): boolean {
  try {
    assert()
    return true
  } catch {
    return false
  }
}
