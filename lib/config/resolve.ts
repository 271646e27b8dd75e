import { type z } from 'zod'
import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { type HealthOptions } from '../health/options.ts'
import { unlessDefault } from './on-lost-rule.ts'
import { overrideProblems } from './override-problems.ts'
import { type pool } from './pool-rule.ts'
import { relationProblems } from './relations.ts'
import { resolveBackends } from './resolve-backends.ts'
import { strategiesOf } from './strategies-of.ts'
import { type DrainConfig } from './config.ts'
import { type PoolSpec } from '../pool/pool-spec.ts'
import { type DrainPlan } from '../proxy/drain.ts'
import { type RouteSpec } from '../proxy/router.ts'
import { type CloseReason, type TunnelTimes } from '../proxy/tunnel-options.ts'
import { type ResolvedConfig } from './resolved.ts'
import { isObject } from './rule.ts'
import { type Backends } from './source-rule.ts'
import { routeName } from './route-name.ts'
import { type RouteRule } from './route-rule.ts'
import { closing, drain, schema } from './schema.ts'
import { toProblems } from './to-problems.ts'

export interface ResolveOptions {
  /** Where relative paths of certificates start. @default the working directory */
  baseDir?: string
}

/**
 * Checks a config and fills in what it leaves out. Reads the certificates it names; opens nothing.
 * @throws ConfigError with every problem, not just the first
 */
export function resolveConfig(
  input: unknown,
  { baseDir = process.cwd() }: ResolveOptions = {},
): ResolvedConfig {
  if (typeof input === 'function' || input instanceof Promise) throw new ConfigError([notYetAConfig(input)])
  const { success, data, error } = schema(baseDir).safeParse(input)
  const problems = [
    ...(error?.issues ?? []).flatMap(toProblems),
    ...(isObject(input) ? relationProblems(input) : []),
  ]
  if (!success || problems.length > 0) throw new ConfigError(problems)

  const { backends, pools = {}, timeouts, ...rest } = data
  const main = backends && { ...data, backends }
  const all = Object.entries(main ? { ...pools, default: main } : pools)
  const misfits = all.flatMap(([name, { backends, health }]) => {
    const path = name === 'default' && main ? [] : ['pools', name]
    return 'list' in backends ? overrideProblems(path, backends.list, health || undefined) : []
  })
  if (misfits.length > 0) throw new ConfigError(misfits)
  const { onMessage, select, ...hooks } = rest.hooks
  return {
    listen: rest.listen,
    limits: { headersTimeout: timeouts.headers, keepAliveTimeout: timeouts.keepAlive },
    pools: all.map(([name, pool]) => toSpec(name, pool, all.length === 1 || name === 'default', baseDir)),
    routes: (rest.routes ?? [{ pool: 'default', hooks: {} }]).map((route) =>
      toRouteSpec(route, { onMessage, select }),
    ),
    drain: toDrainPlan(rest.drain, rest.websocket),
    websocket: rest.websocket,
    timeouts: {
      connect: timeouts.connect,
      response: timeouts.response,
      body: timeouts.body,
      hook: timeouts.hook,
    },
    attempts: rest.attempts,
    admission: rest.admission,
    trustProxy: rest.trustProxy,
    hooks,
    log: rest.log,
  }
}

/**
 * What a call of `drain()` asks for, on top of what the config says.
 * @throws ConfigError with every problem
 */
export function resolveDrain(
  asked: DrainConfig,
  { drain: defaults, websocket }: Pick<ResolvedConfig, 'drain' | 'websocket'>,
): DrainPlan {
  const { success, data, error } = drain.safeParse(asked)
  if (!success) throw new ConfigError(error.issues.flatMap(toProblems))
  return toDrainPlan(data, websocket, defaults)
}

/** @throws ConfigError for a code or a reason that cannot be sent */
export function resolveCloseReason(asked: CloseReason): CloseReason {
  const { success, data, error } = closing.safeParse(asked)
  if (success) return data
  const problems = error.issues.flatMap(toProblems)
  throw new ConfigError(problems.map(({ path, message }) => ({ path: path || 'the Close', message })))
}

const DRAIN_DEFAULTS: DrainPlan = {
  ...{ over: 30_000, code: 1012, reason: 'service restart', order: 'idle-first', deadline: 60_000 },
}
/** How much later than the last close the deadline is, where the usual one would come too early. */
const PATIENCE = 30_000

/** The last to be closed are to have their time to answer: who says one of the two times moves the other if need be. */
function toDrainPlan(
  asked: z.output<typeof drain>,
  { closeTimeout }: TunnelTimes,
  defaults = DRAIN_DEFAULTS,
): DrainPlan {
  const {
    over = defaults.over,
    code = defaults.code,
    reason = defaults.reason,
    order = defaults.order,
  } = asked
  const tooEarly = asked.over !== undefined && over > defaults.deadline - closeTimeout
  const { deadline = tooEarly ? over + PATIENCE : defaults.deadline } = asked
  const longest = Math.max(deadline / 2, deadline - closeTimeout)
  return { over: Math.min(over, longest), code, reason, order, deadline }
}

function toRouteSpec(
  { name, host, path, method, header, pool, hooks }: RouteRule,
  forAll: Pick<RouteRule['hooks'], 'onMessage' | 'select'>,
): RouteSpec {
  const conditions = { host, path, method, header: header?.length ? header : undefined }
  return {
    ...conditions,
    name: name ?? routeName(conditions),
    pool,
    onMessage: (hooks.onMessage ?? forAll.onMessage) || undefined,
    select: (hooks.select ?? forAll.select) || undefined,
  }
}

function toSpec(
  name: string,
  {
    backends,
    discovery,
    balance,
    sticky,
    onLost,
    health,
    rebalance,
    retryBudget,
    slowStart,
  }: z.output<typeof pool>,
  isMain: boolean,
  baseDir: string,
): PoolSpec {
  // Two pools that share a cookie would overwrite it in turn for a client of both.
  const cookie = isMain ? 'server' : `server-${encodeURIComponent(name)}`
  return {
    name,
    ...toMembers(backends, discovery, health || undefined, baseDir),
    policy: balance,
    sticky: strategiesOf(sticky, cookie),
    onLost: unlessDefault(onLost),
    health: health || undefined,
    rebalance: rebalance || undefined,
    retryBudget: retryBudget || undefined,
    slowStart: slowStart || undefined,
  }
}

function toMembers(
  given: Backends,
  discovery: z.output<typeof pool>['discovery'],
  health: HealthOptions | undefined,
  baseDir: string,
): Pick<PoolSpec, 'backends' | 'source'> {
  if ('list' in given) return { backends: given.list, source: undefined }
  const { source, origin } = given
  const placed = source.relativeTo?.(baseDir) ?? source
  return {
    backends: [],
    source: { source: placed, origin, parse: (list) => resolveBackends(list, health), ...discovery },
  }
}

function notYetAConfig(input: object): ConfigProblem {
  const message =
    input instanceof Promise
      ? 'got a promise; await it first'
      : 'got a function; use loadConfig(), which calls it, or call it yourself and give its result'
  return { path: '', message }
}
