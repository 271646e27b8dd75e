import { ConfigError, type ConfigProblem } from '../../core/errors.ts'
import { type Address } from './connection.ts'
import { connectNodeRedis } from './node-redis-connection.ts'
import { type Access } from './redis-access.ts'
import { type RedisAccess, type RedisTarget } from './redis-target.ts'

const REDIS_PORT = 6379
const SENTINEL_PORT = 26379

export interface SingleTarget {
  readonly address: Address
  readonly access: Access
}

export interface SentinelTarget {
  readonly sentinels: readonly Address[]
  readonly name: string
  /** Of the master. */
  readonly access: Access
  readonly sentinelAccess: Access
}

/** @throws ConfigError with all that is wrong */
export function resolveTarget(target: RedisTarget): SingleTarget | SentinelTarget {
  const problems: ConfigProblem[] = []
  const complain = (path: string, message: string) => void problems.push({ path, message })
  if (target.connect !== undefined && typeof target.connect !== 'function')
    complain('redis.connect', 'is no function that makes a connection')
  const access = accessOf(target, complain)
  const both = 'url' in target && 'sentinels' in target
  if (both || (!('url' in target) && !('sentinels' in target)))
    complain('redis', 'is either { url } or { sentinels, name }')
  const resolved =
    'sentinels' in target ? sentinelsOf(target, access, complain) : singleOf(target.url, access, complain)
  if (problems.length > 0) throw new ConfigError(problems)
  return resolved
}

type Complain = (path: string, message: string) => void

function accessOf({ connect, username, password, db = 0, tls }: RedisAccess, complain: Complain): Access {
  if (!Number.isInteger(db) || db < 0)
    complain('redis.db', `${String(db)} is not the number of a database, 0 or more`)
  if (username !== undefined && password === undefined)
    complain('redis.password', 'is missing: a username alone enters nowhere')
  return {
    connect: connect ?? connectNodeRedis,
    username,
    password,
    db,
    tls: tls === true ? {} : tls || undefined,
  }
}

function singleOf(text: unknown, access: Access, complain: Complain): SingleTarget {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const nowhere = { address: { host: '', port: 0 }, access }
  if (!url || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    complain('redis.url', `${shown(text)} is not a url such as redis://user:password@host:6379/0`)
    return nowhere
  }
  const db = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : access.db
  if (!Number.isInteger(db) || db < 0)
    complain('redis.url', `${url.pathname} is not the number of a database`)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return {
    address: { host, port: url.port === '' ? REDIS_PORT : Number(url.port) },
    access: {
      ...access,
      db,
      username: url.username === '' ? access.username : decodeURIComponent(url.username),
      password: url.password === '' ? access.password : decodeURIComponent(url.password),
      tls: url.protocol === 'rediss:' ? (access.tls ?? {}) : access.tls,
    },
  }
}

/** Without the password. */
function shown(text: unknown): string {
  return JSON.stringify(text)?.replace(/\/\/[^@/]*@/, '//…@') ?? 'undefined'
}

function sentinelsOf(
  { sentinels, name = 'mymaster', sentinel = {}, connect }: Extract<RedisTarget, { sentinels: unknown }>,
  access: Access,
  complain: Complain,
): SentinelTarget {
  const sentinelAccess = accessOf({ ...sentinel, ...(connect && { connect }) }, (path, message) =>
    complain(path.replace('redis.', 'redis.sentinel.'), message),
  )
  if (typeof name !== 'string' || name === '')
    complain('redis.name', 'is not what the Sentinels call the master')
  if (!Array.isArray(sentinels) || sentinels.length === 0) {
    complain('redis.sentinels', 'is not a list of { host, port }: all Sentinels, whose majority decides')
    return { sentinels: [], name, access, sentinelAccess }
  }
  const addresses = sentinels.map(({ host = '', port = SENTINEL_PORT }: Partial<Address>) => ({ host, port }))
  addresses.forEach(({ host, port }, index) => {
    const path = `redis.sentinels[${index}]`
    if (typeof host !== 'string' || host === '') complain(`${path}.host`, `${shown(host)} is no host`)
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      complain(`${path}.port`, `${shown(port)} is no port, 1 to 65535`)
    const first = addresses.findIndex((other) => other.host === host && other.port === port)
    if (first < index) complain(path, `is the same as redis.sentinels[${first}]: one Sentinel has one vote`)
  })
  return { sentinels: addresses, name, access, sentinelAccess }
}
