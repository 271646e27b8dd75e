import { type IncomingMessage } from 'node:http'
import { type Socket } from 'node:net'
import { type Forwarded, IncomingRequest } from '../core/request.ts'
import { type Trust, plainAddress } from './trust-proxy.ts'

/** Node's message becomes a plain {@link IncomingRequest}; nothing below knows about `node:http` servers. */
export function arrival(message: IncomingMessage, trust: Trust): IncomingRequest {
  const { headers, socket } = message
  const peer = plainAddress(socket.remoteAddress ?? '')
  const target = splitTarget(targetOf(message))
  const host = target.authority ?? headers.host ?? ''
  const encrypted = (socket as Socket & { encrypted?: boolean }).encrypted === true
  const forwarded = forwardedBy(message, peer, host, encrypted, trust)
  return new IncomingRequest({
    method: message.method ?? '',
    url: target.path,
    httpVersion: message.httpVersion,
    host,
    headers,
    rawHeaders: message.rawHeaders,
    secure: forwarded.proto === 'https' || forwarded.proto === 'wss',
    remoteAddress: peer,
    clientAddress: forwarded.trusted ? clientIn(forwarded.for, trust) : peer,
    forwarded,
  })
}

/** Express cuts the path it is mounted at off `url`; an upgrade knows no mounts, and both must take the same route. */
function targetOf(message: IncomingMessage & { baseUrl?: string; originalUrl?: string }): string {
  return (message.baseUrl ? message.originalUrl : message.url) ?? ''
}

/** Absolute-form targets carry the host themselves (RFC 9112 §3.2.2); whether it is one is asked later. */
function splitTarget(target: string): { authority?: string; path: string } {
  const match = target.startsWith('/') ? null : /^https?:\/\/([^/?#]+)(.*)$/i.exec(target)
  if (!match) return { path: target }
  const rest = match[2]!
  return { authority: match[1]!, path: rest.startsWith('/') ? rest : `/${rest}` }
}

function forwardedBy(
  { headers }: IncomingMessage,
  peer: string,
  host: string,
  encrypted: boolean,
  trust: Trust,
): Forwarded {
  const proto = encrypted ? 'https' : 'http'
  if (!trust(peer)) return { for: peer, proto, host, trusted: false }
  const chain = headers['x-forwarded-for']
  return {
    for: chain ? `${String(chain)}, ${peer}` : peer,
    proto: firstOf(headers['x-forwarded-proto']) ?? proto,
    host: firstOf(headers['x-forwarded-host']) ?? host,
    trusted: true,
  }
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value)?.split(',')[0]?.trim().toLowerCase() || undefined
}

/** From the right, the first address that is not itself a trusted proxy: anything left of it could be invented. */
function clientIn(chain: string, trust: Trust): string {
  const addresses = chain.split(',').map((address) => plainAddress(address.trim()))
  for (let i = addresses.length - 1; i > 0; i--) {
    if (!trust(addresses[i]!)) return addresses[i]!
  }
  return addresses[0]!
}
