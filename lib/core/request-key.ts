import { addressPrefix, type PrefixLengths } from './address-prefix.ts'
import { assertOptions } from './assert-options.ts'
import { atOnce } from './at-once.ts'
import { ConfigError, WslbError, messageOf } from './errors.ts'
import { isToken } from './header-edits.ts'
import { type IncomingRequest } from './request.ts'

/**
 * What the requests have in common that are to come to one backend. A function of your own is one too.
 * @returns `undefined` or `''` when a request has no such thing
 */
export type RequestKey = (request: IncomingRequest) => string | undefined

/**
 * The address of the client (see `trustProxy`), or the network it is in: phones change their address often, and hosts
 * their IPv6 address within the same /64.
 * @param lengths bits of the prefix that count; `v4` 0 to 32, `v6` 0 to 128. @default { v4: 32, v6: 64 }
 * @throws ConfigError
 */
export function clientIp(lengths: Partial<PrefixLengths> = {}): RequestKey {
  assertOptions('clientIp', lengths, { v4: true, v6: true })
  const { v4 = 32, v6 = 64 } = lengths
  assertBits('v4', v4, 32)
  assertBits('v6', v6, 128)
  return ({ clientAddress }) => addressPrefix(clientAddress, { v4, v6 })
}

/** A header, without regard to case; repeated ones are joined. @throws ConfigError */
export function header(name: string): RequestKey {
  if (typeof name !== 'string' || !isToken(name)) throw invalid('header', name, 'the name of a header')
  const lower = name.toLowerCase()
  return ({ headers }) => {
    const value = headers[lower]
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/** A parameter of the query, decoded; the first of that name. @throws ConfigError */
export function query(name: string): RequestKey {
  if (!isText(name)) throw invalid('query', name, 'the name of a query parameter')
  return (request) => request.query.get(name) ?? undefined
}

/**
 * A segment of the path, decoded: of `/chat/room%207`, 1 is `chat`, and 2, or -1 from the end, is `room 7`.
 * @throws ConfigError
 */
export function pathSegment(position: number): RequestKey {
  if (!Number.isSafeInteger(position) || position === 0)
    throw invalid('pathSegment', position, 'a whole number, 1 for the first segment or -1 for the last')
  return ({ path }) => {
    const segments = path.split('/').filter((segment) => segment !== '')
    const segment = segments.at(position > 0 ? position - 1 : position)
    return segment?.includes('%') ? decoded(segment) : segment
  }
}

/** A cookie of the application. @throws ConfigError */
export function cookieValue(name: string): RequestKey {
  if (typeof name !== 'string' || !isToken(name)) throw invalid('cookieValue', name, 'the name of a cookie')
  return ({ cookies }) => cookies[name]
}

/**
 * What a key says of a request, `undefined` when it says nothing. It may be the user's own code.
 * @throws WslbError when that is no text
 */
export function keyFor(request: IncomingRequest, key: RequestKey): string | undefined {
  const value: unknown = atOnce(key(request), 'a key')
  if (value == null || value === '') return undefined
  if (typeof value === 'string') return value
  throw new WslbError(
    'WSLB_INTERNAL',
    `a key must be a string or undefined, not ${typeof value}: ${messageOf(value)}`,
  )
}

/** What makes keys, and is none. */
const MAKERS: readonly { readonly name: string }[] = [clientIp, header, query, pathSegment, cookieValue]

/** @throws ConfigError when it is not a function. @param name of whoever takes it */
export function assertKey(name: string, key: unknown): asserts key is RequestKey {
  const maker = MAKERS.find((one) => one === key)
  if (maker) {
    const call = maker === clientIp ? 'clientIp()' : `${maker.name}(…)`
    const message = `${name}: got ${maker.name} itself; did you mean ${call}?`
    throw new ConfigError([{ path: '', message }])
  }
  if (typeof key !== 'function')
    throw invalid(name, key, 'a key: clientIp(), header("x-user"), query("room") or a function of your own')
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function assertBits(name: string, bits: unknown, most: number): void {
  if (Number.isInteger(bits) && Number(bits) >= 0 && Number(bits) <= most) return
  throw invalid('clientIp', bits, `for ${name} a prefix length, 0 to ${most}`)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function invalid(maker: string, given: unknown, allowed: string): ConfigError {
  return new ConfigError([{ path: '', message: `${maker}: got ${messageOf(given)}; expected ${allowed}` }])
}
