import { z } from 'zod'
import { DRAIN_ORDERS } from '../proxy/drain-order.ts'
import { type Logger, type LogLevel } from '../core/logger.ts'
import { hooks } from './hooks-rule.ts'
import { listeners } from './listen-rule.ts'
import { pool, poolShape } from './pool-rule.ts'
import { route } from './route-rule.ts'
import { depends, isObject, list, mismatch, object, oneOf, value } from './rule.ts'
import {
  addressOrRange,
  boolean,
  closeCode,
  closeReason,
  count,
  duration,
  durationOrFalse,
} from './values.ts'
import { positiveDuration, text } from './values.ts'

/** Everything may be left out: what that means depends on who asks. */
export const drain = object('an object', {
  over: duration.optional(),
  code: closeCode.optional(),
  reason: closeReason.optional(),
  order: oneOf(DRAIN_ORDERS).optional(),
  deadline: duration.optional(),
}).superRefine(({ over, deadline }, context) => {
  if (over === undefined || deadline === undefined || over <= deadline) return
  const message = `is longer than the deadline of ${deadline} ms; make it shorter, or the deadline longer`
  context.addIssue({ code: 'custom', path: ['over'], message })
})

/** What `closeTunnel()` takes. */
export const closing = object('an object with code and reason', {
  code: closeCode,
  reason: closeReason.default(''),
})

const admission = object('an object', {
  maxWait: duration.default(1_000),
  browsers: depends<false | 'close-1013'>((given) =>
    given === false ? value('', () => false) : oneOf(['close-1013'], ', or false'),
  ).default(false),
})

const websocket = object('an object', {
  ping: durationOrFalse.default(30_000),
  handshakeTimeout: positiveDuration.default(10_000),
  idleTimeout: durationOrFalse.default(false),
  maxAge: durationOrFalse.default(false),
  closeTimeout: positiveDuration.default(5_000),
})

const timeouts = object('an object', {
  connect: positiveDuration.default(5_000),
  response: positiveDuration.default(120_000),
  headers: positiveDuration.default(10_000),
  body: positiveDuration.default(60_000),
  keepAlive: positiveDuration.default(65_000),
  hook: positiveDuration.default(10_000),
})

const PEERS = 'true, false, or addresses and CIDRs like "10.0.0.0/8"'

const trustProxy = depends<boolean | string[]>((given) => {
  if (typeof given === 'boolean') return boolean
  return Array.isArray(given) ? list('', addressOrRange) : trustedPeer.transform((one) => [one])
})

const trustedPeer = depends((given) =>
  typeof given === 'string' ? addressOrRange : value<string>(PEERS, () => undefined),
)

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const LOGGER = 'a logger: an object with the functions debug, info, warn and error'

const log = depends<LogLevel | Logger>((given) =>
  isObject(given)
    ? value(LOGGER, (given) => (isLogger(given) ? given : undefined))
    : oneOf(LEVELS, ', or a logger (an object with debug, info, warn, error)'),
)

/** The shape of a config. How its parts fit together is checked in `relations.ts`. */
export function schema(baseDir: string) {
  return object('an object: see defineConfig', {
    ...poolShape,
    backends: poolShape.backends.optional(),
    listen: listeners(baseDir).default([]),
    pools: z
      .record(text, pool, { error: (issue) => mismatch(issue.input, 'an object of pools by name') })
      .optional(),
    routes: list('a list of routes', route).optional(),
    drain: drain.default({}),
    websocket: websocket.default(() => websocket.parse({})),
    timeouts: timeouts.default(() => timeouts.parse({})),
    attempts: count.default(3),
    admission: admission.default(() => admission.parse({})),
    trustProxy: trustProxy.default(false),
    hooks: hooks.default({}),
    log: log.optional(),
  })
}

function isLogger(given: unknown): given is Logger {
  return (
    isObject(given) && ['debug', 'info', 'warn', 'error'].every((name) => typeof given[name] === 'function')
  )
}
