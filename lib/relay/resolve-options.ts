import { systemClock, type Clock, type Random } from '../core/clock.ts'
import { assertOptions } from '../core/assert-options.ts'
import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { type Logger } from '../core/logger.ts'
import { type OutboxLimits } from './delivery/outbox.ts'
import { type HistoryOptions, type RelayOptions } from './options.ts'
import { type History } from './session/entry.ts'

export interface ResolvedOptions {
  readonly nodeId: string
  readonly prefix: string
  readonly history: History
  readonly limits: OutboxLimits
  /** Milliseconds. */
  readonly lease: number | undefined
  readonly log: Logger | undefined
  readonly clock: Clock
  readonly random: Random
}

const DEFAULT_HISTORY: History = { length: 1_000, ttl: 120_000 }
const DEFAULT_LEASE = 2_000
const LONGEST_GRACE = 300_000
const RELAY = {
  redis: true,
  memory: true,
  nodeId: true,
  prefix: true,
  history: true,
  publish: true,
  lease: true,
  log: true,
  clock: true,
  random: true,
} as const
const PUBLISH = { replicas: true, graceMs: true, outboxBytes: true, onFull: true, maxBytes: true } as const
const LEASE = { ms: true } as const
const HISTORY = { length: true, ttlMs: true } as const
const REDIS = {
  url: true,
  sentinels: true,
  name: true,
  sentinel: true,
  username: true,
  password: true,
  db: true,
  tls: true,
  connect: true,
} as const
const NODE_ID = /^[\w.:@-]{1,64}$/

/** @throws ConfigError with everything that is wrong */
export function resolveOptions(options: RelayOptions): ResolvedOptions {
  const problems: ConfigProblem[] = []
  const { publish = {}, lease = { ms: DEFAULT_LEASE }, redis } = options
  assertOptions('createRelay', options, RELAY)
  assertOptions('createRelay: publish', publish, PUBLISH)
  if (lease) assertOptions('createRelay: lease', lease, LEASE, ', or false')
  if (redis !== undefined) assertOptions('createRelay: redis', redis, REDIS, ': { url: "redis://…" }')
  if (redis === undefined && 'redis' in options) {
    const message =
      'is undefined, and without it nodes are joined in memory only: leave it out if that is meant'
    problems.push({ path: 'redis', message })
  }
  const sentinel = redis !== undefined && 'sentinels' in redis
  const whole = (path: string, value: unknown, least: number) => {
    if (!Number.isSafeInteger(value) || (value as number) < least) {
      problems.push({ path, message: `expected a whole number from ${least} on, got ${String(value)}` })
    }
    return value as number
  }
  const {
    replicas = sentinel ? 1 : 0,
    graceMs = 15_000,
    outboxBytes = 64 << 20,
    maxBytes = 1 << 20,
  } = publish
  const { onFull = 'reject' } = publish
  if (onFull !== 'reject' && onFull !== 'wait') {
    problems.push({ path: 'publish.onFull', message: `expected 'reject' or 'wait', got ${String(onFull)}` })
  }
  if (graceMs > LONGEST_GRACE) {
    const message = `at most ${LONGEST_GRACE}: so long publishers are remembered that nothing is appended twice`
    problems.push({ path: 'publish.graceMs', message })
  }
  if (maxBytes * 2 + 1024 > outboxBytes) {
    problems.push({
      path: 'publish.outboxBytes',
      message: 'has to hold two messages of publish.maxBytes, and 1024 bytes more',
    })
  }
  const { nodeId = shortId(), prefix = 'w' } = options
  if (typeof nodeId !== 'string' || !NODE_ID.test(nodeId))
    problems.push({ path: 'nodeId', message: 'expected up to 64 letters, digits, or any of . _ : @ -' })
  if (typeof prefix !== 'string' || prefix === '')
    problems.push({ path: 'prefix', message: 'expected a text' })
  const history = resolveHistory('history', options.history, DEFAULT_HISTORY, problems)
  const resolved: ResolvedOptions = {
    nodeId,
    prefix,
    history,
    limits: {
      replicas: whole('publish.replicas', replicas, 0),
      grace: whole('publish.graceMs', graceMs, 0),
      bytes: whole('publish.outboxBytes', outboxBytes, 1),
      maxBytes: whole('publish.maxBytes', maxBytes, 1),
      onFull,
    },
    lease: sentinel && lease ? whole('lease.ms', lease.ms, 100) : undefined,
    log: options.log,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return resolved
}

/** It stands in the registry once for each client. */
function shortId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(9))).toString('base64url')
}

/** @throws ConfigError when no `problems` are given to add to */
export function resolveHistory(
  path: string,
  options: HistoryOptions | undefined,
  defaults: History,
  problems?: ConfigProblem[],
): History {
  if (options !== undefined) assertOptions(path, options, HISTORY)
  const { length = defaults.length, ttlMs = defaults.ttl } = options ?? {}
  const found: ConfigProblem[] = []
  if (!Number.isSafeInteger(length) || length < 0) {
    found.push({ path: `${path}.length`, message: `expected a number of messages, got ${String(length)}` })
  }
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1) {
    found.push({ path: `${path}.ttlMs`, message: `expected milliseconds, got ${String(ttlMs)}` })
  }
  if (problems) problems.push(...found)
  else if (found.length > 0) throw new ConfigError(found)
  return { length, ttl: ttlMs }
}
