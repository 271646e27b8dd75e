import { type HeaderEdits } from '../core/header-edits.ts'
import { type Forwarded, type IncomingRequest } from '../core/request.ts'

/** Connection-level fields, never forwarded (RFC 9110 §7.6.1); framing is made anew on each side. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Fields a `Connection` list cannot remove: doing so would change whom the request is for, from or how long it is. */
const PROTECTED = new Set(['host', 'content-length', 'transfer-encoding', 'cookie', 'authorization'])

/** Fields that say who the client is, by any name a backend may believe. */
const CLIENT_CLAIMS = /^(?:x-forwarded-|forwarded$|x-real-ip$)/

/** Values of a field, in order. `name` is lower case. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length === name.length && rawHeaders[i]!.toLowerCase() === name)
      values.push(rawHeaders[i + 1]!)
  }
  return values
}

/** The block without a field. `name` is lower case. */
export function withoutField(rawHeaders: readonly string[], name: string): readonly string[] {
  const at = rawHeaders.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === name)
  return at < 0 ? rawHeaders : withoutField(rawHeaders.toSpliced(at, 2), name)
}

/** Members of comma-separated lists, lower case (RFC 9110 §5.6.1). */
export function listTokens(values: readonly string[]): string[] {
  return values
    .join(',')
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}

/** What the `Connection` fields ask us to drop on the way. */
function connectionOptions(rawHeaders: readonly string[]): readonly string[] {
  const values = valuesOf(rawHeaders, 'connection')
  if (values.length === 1 && SIMPLE_CONNECTION.test(values[0]!)) return NONE
  return listTokens(values).filter((token) => !PROTECTED.has(token))
}
const SIMPLE_CONNECTION = /^(?:keep-alive|close|upgrade)$/i
const NONE: readonly string[] = []

/**
 * Header block for the backend: the client's, less hop-by-hop fields, our cookies and unproven claims about
 * who the client is; plus `X-Forwarded-For/-Proto/-Host`, plus what hooks asked for.
 */
export function requestHeaders(request: IncomingRequest, ownCookies: readonly string[]): string[] {
  const { rawHeaders, forwarded } = request
  const { toBackend } = request.edits
  const dropped = connectionOptions(rawHeaders)
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    const key = name.toLowerCase()
    if (HOP_BY_HOP.has(key) || key === 'expect' || key === 'trailer' || dropped.includes(key)) continue
    if (isClientClaim(key) && !(forwarded.trusted && !OURS.has(key))) continue
    if (toBackend?.removes(key)) continue
    if (key === 'host') {
      // The request-target's authority, where there is one, wins over the field (RFC 9112 §3.2.2).
      headers.push(name, request.host)
    } else if (key === 'cookie' && ownCookies.length > 0) {
      const rest = withoutCookies(rawHeaders[i + 1]!, ownCookies)
      if (rest !== '') headers.push(name, rest)
    } else {
      headers.push(name, rawHeaders[i + 1]!)
    }
  }
  addForwarded(headers, forwarded)
  addEdits(headers, toBackend)
  return headers
}

const OURS = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])

function isClientClaim(key: string): boolean {
  // CGI-style backends read X_Forwarded_For as X-Forwarded-For.
  return CLIENT_CLAIMS.test(key.includes('_') ? key.replaceAll('_', '-') : key)
}

function addForwarded(headers: string[], forwarded: Forwarded): void {
  headers.push('X-Forwarded-For', forwarded.for, 'X-Forwarded-Proto', forwarded.proto)
  if (forwarded.host !== '') headers.push('X-Forwarded-Host', forwarded.host)
}

/** Header block for the client: the backend's less hop-by-hop fields, plus our cookies, plus what hooks asked for. */
export function responseHeaders(
  rawHeaders: readonly string[],
  setCookies: readonly string[],
  toClient: HeaderEdits | undefined,
): string[] {
  const dropped = connectionOptions(rawHeaders)
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const key = rawHeaders[i]!.toLowerCase()
    if (HOP_BY_HOP.has(key) || dropped.includes(key) || toClient?.removes(key)) continue
    headers.push(rawHeaders[i]!, rawHeaders[i + 1]!)
  }
  for (const cookie of setCookies) headers.push('Set-Cookie', cookie)
  addEdits(headers, toClient)
  return headers
}

function addEdits(headers: string[], edits: HeaderEdits | undefined): void {
  if (edits) for (const [name, value] of edits.added) headers.push(name, value)
}

/** A `Cookie` value without the cookies of those names; every other byte stays as it was sent. */
export function withoutCookies(header: string, names: readonly string[]): string {
  if (!names.some((name) => header.includes(name))) return header
  return header
    .split(';')
    .filter((pair) => !names.includes(pair.slice(0, (pair.indexOf('=') + 1 || pair.length + 1) - 1).trim()))
    .join(';')
    .trim()
}
