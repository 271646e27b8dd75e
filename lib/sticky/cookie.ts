import { createHmac, randomBytes } from 'node:crypto'
import { stringifySetCookie } from 'cookie'
import { assertOptions } from '../core/assert-options.ts'
import { type Backend } from '../core/backend.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { type StickyStrategy } from './strategy.ts'

export interface StickyCookieOptions {
  /** Pools that one browser uses on one host need different names, or they overwrite each other. @default 'server' */
  name?: string
  /**
   * Key of the tokens. Of several the first signs and all verify, so a key can be changed without moving anybody:
   * put the new one first, and remove the old one when everybody has been back and was given a new cookie.
   * Any number of wslb with the same secret agree; the secret should have 32 random bytes.
   * Danger: without one, every process makes its own. A restart, or a second instance, then knows no client.
   * @default random, once per process
   */
  secret?: string | readonly string[]
  /** @default '/' */
  path?: string
  /** @default the host of the request only */
  domain?: string
  /** Counted from the answer that set it, not renewed; sent in whole seconds. @default until the browser is closed */
  maxAge?: Duration
  /** `'none'` is for pages of other sites that embed this one, and forces `Secure`. @default 'lax' */
  sameSite?: 'lax' | 'strict' | 'none'
  /** @default whether the client speaks TLS */
  secure?: boolean
  /** One cookie jar per embedding site (CHIPS); forces `Secure`. @default false */
  partitioned?: boolean
  /** For pages that other sites embed: `SameSite=None; Secure; Partitioned`. Works over https only. @default false */
  crossSite?: boolean
}

const KNOWN = {
  name: true,
  secret: true,
  path: true,
  domain: true,
  maxAge: true,
  sameSite: true,
  secure: true,
  partitioned: true,
  crossSite: true,
} as const

let processSecret: string | undefined
const NO_COOKIES: readonly string[] = []

/**
 * Stickiness by a cookie whose value is a token of the backend's id (HMAC-SHA256, base64url): nothing is stored,
 * the id is not shown, and a client cannot choose a backend it was not given. An unknown or forged token is no token.
 * @throws ConfigError when an option is not valid
 */
export function stickyCookie(options: StickyCookieOptions = {}): StickyStrategy {
  assertOptions('stickyCookie', options, KNOWN)
  const { crossSite = false, name = 'server', path = '/', domain } = options
  const { sameSite = crossSite ? 'none' : 'lax', partitioned = crossSite } = options
  const secrets = secretsOf(options)
  if (crossSite && (sameSite !== 'none' || !partitioned || options.secure === false))
    throw invalid(
      'crossSite is SameSite=None; Secure; Partitioned; leave out sameSite, secure and partitioned',
    )
  const forceSecure = sameSite === 'none' || partitioned
  const attributes = {
    path,
    sameSite,
    partitioned,
    domain,
    maxAge: toSeconds(options.maxAge),
    httpOnly: true,
  }

  const tokens = new WeakMap<Backend, readonly string[]>()
  const tables = new WeakMap<ReadonlyMap<string, Backend>, ReadonlyMap<string, Backend>>()

  function tokensOf(backend: Backend): readonly string[] {
    let result = tokens.get(backend)
    if (!result) {
      result = secrets.map((secret) => createHmac('sha256', secret).update(backend.id).digest('base64url'))
      tokens.set(backend, result)
    }
    return result
  }

  function tableOf(backends: ReadonlyMap<string, Backend>): ReadonlyMap<string, Backend> {
    let table = tables.get(backends)
    if (!table) {
      table = new Map(
        [...backends.values()].flatMap((backend) => tokensOf(backend).map((token) => [token, backend])),
      )
      tables.set(backends, table)
    }
    return table
  }

  function setCookie(token: string, secure: boolean): string {
    return stringifySetCookie(name, token, {
      ...attributes,
      secure: forceSecure || (options.secure ?? secure),
    })
  }

  const lines = { plain: new WeakMap<Backend, [string]>(), secure: new WeakMap<Backend, [string]>() }

  /** The same for every client of a backend, so it is written once. */
  function setCookiesOf(backend: Backend, secure: boolean): readonly string[] {
    const written = lines[secure ? 'secure' : 'plain']
    let line = written.get(backend)
    if (!line) written.set(backend, (line = [setCookie(tokensOf(backend)[0]!, secure)]))
    return line
  }

  validate(() => setCookie('token', true))

  return {
    name: 'cookie',
    ownCookie: name,
    find({ cookies, headers }, backends) {
      const value = cookies[name]
      if (value === undefined) return undefined
      const table = tableOf(backends)
      return table.get(value) ?? among(valuesOf(name, headers.cookie), table)
    },
    remember({ cookies, headers, secure }, backend) {
      const token = tokensOf(backend)[0]!
      const known = cookies[name] === token || valuesOf(name, headers.cookie).includes(token)
      return known ? NO_COOKIES : setCookiesOf(backend, secure)
    },
  }
}

/** Every value of a cookie that was sent more than once, e.g. set for two paths or domains (RFC 6265 §5.4). */
function valuesOf(name: string, header: string | readonly string[] | undefined): string[] {
  const pairs = String(header ?? '').split(';')
  return pairs
    .map((pair) => pair.trim())
    .flatMap((pair) => (pair.startsWith(`${name}=`) ? pair.slice(name.length + 1) : []))
}

function among(values: readonly string[], table: ReadonlyMap<string, Backend>): Backend | undefined {
  return table.get(values.find((value) => table.has(value)) ?? '')
}

function toSeconds(maxAge: Duration | undefined): number | undefined {
  if (maxAge === undefined) return undefined
  const ms = parseDuration(maxAge)
  if (ms === undefined)
    throw invalid(`maxAge ${JSON.stringify(maxAge)} is not a duration like '30m' or '24h'`)
  return Math.ceil(ms / 1_000)
}

/** A `secret` that is there but undefined, e.g. an environment variable that is not set, must not become a random one. */
function secretsOf(options: StickyCookieOptions): readonly string[] {
  if (!('secret' in options)) return [(processSecret ??= randomBytes(32).toString('base64url'))]
  const secrets = [options.secret].flat()
  if (secrets.length > 0 && secrets.every(isSecret)) return secrets
  throw invalid('secret must be a string that is not empty, or a list of them')
}

function isSecret(secret: unknown): secret is string {
  return typeof secret === 'string' && secret !== ''
}

function validate(makeOne: () => void): void {
  try {
    makeOne()
  } catch (error) {
    throw invalid(messageOf(error))
  }
}

function invalid(message: string): ConfigError {
  return new ConfigError([{ path: '', message: `stickyCookie: ${message}` }])
}
