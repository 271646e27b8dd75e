import { type IncomingRequest } from '../core/request.ts'
import { type LearnedRule } from './learned-rule.ts'

/**
 * Engine.IO, which Socket.IO runs on: `sid` in the answer to the handshake of its polling transport, and in the query of
 * every request after it, the upgrade included. Protocols 3 and 4.
 */
export const engineIo: LearnedRule = {
  name: 'engine.io',
  fromRequests: true,
  id(request) {
    return speaksEngineIo(request) ? (request.query.get('sid') ?? undefined) : undefined
  },
  opens(request) {
    if (request.method !== 'GET' || !speaksEngineIo(request)) return false
    return request.query.get('transport') === 'polling' && !request.query.has('sid')
  },
  idFromAnswer: sidOf,
}

/** A preflight is answered by every server alike. */
function speaksEngineIo({ method, url, query }: IncomingRequest): boolean {
  return method !== 'OPTIONS' && url.includes('EIO=') && query.has('EIO')
}

/** In protocol 3 the packet has its length before it, as text or as bytes; JSONP makes it an argument. */
const JSONP = /^(?:\/\*\*\/)?___eio\[\d*\]\((".*")\)/s
const OPEN_PACKET = /^[^{]{0,16}0(\{[^{}]*\})/

function sidOf(body: string): string | undefined {
  const argument = JSONP.exec(body)?.[1]
  const payload = argument === undefined ? body : (JSON.parse(argument) as string)
  const [, json] = OPEN_PACKET.exec(payload) ?? []
  if (json === undefined) return undefined
  const { sid } = JSON.parse(json) as { sid?: unknown }
  return typeof sid === 'string' ? sid : undefined
}
