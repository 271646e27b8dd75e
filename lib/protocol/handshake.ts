import { createHash } from 'node:crypto'
import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { listTokens, valuesOf } from './headers.ts'

/** Whether an `Upgrade` header asks for a WebSocket, among whatever else it offers (RFC 9110 §7.8). */
export function asksForWebSocket(upgrade: string | string[] | undefined): boolean {
  return typeof upgrade === 'string' && listTokens([upgrade]).includes('websocket')
}

/**
 * Checks the client's side of the opening handshake (RFC 6455 §4.2.1) and that no body comes with it.
 * @returns the `Sec-WebSocket-Key`
 * @throws WslbError `WSLB_BAD_HANDSHAKE` (400), `WSLB_BAD_VERSION` (426)
 */
export function checkHandshake(request: IncomingRequest): string {
  const { method, httpVersion, rawHeaders } = request
  if (method !== 'GET') throw bad(`the method must be GET, not ${method}`)
  if (httpVersion !== '1.1') throw bad(`HTTP/1.1 is needed, not HTTP/${httpVersion}`)
  if (!listTokens(valuesOf(rawHeaders, 'connection')).includes('upgrade'))
    throw bad('Connection must list "Upgrade"')
  if (valuesOf(rawHeaders, 'transfer-encoding').length > 0) throw bad('an upgrade carries no body')
  if (valuesOf(rawHeaders, 'content-length').some((length) => length !== '0'))
    throw bad('an upgrade carries no body')

  const versions = valuesOf(rawHeaders, 'sec-websocket-version')
  if (versions.length !== 1 || versions[0] !== '13') {
    throw new WslbError('WSLB_BAD_VERSION', 'Sec-WebSocket-Version must be 13')
  }
  const keys = valuesOf(rawHeaders, 'sec-websocket-key')
  if (keys.length !== 1 || !KEY.test(keys[0]!))
    throw bad('Sec-WebSocket-Key must be one base64 value of 16 bytes')
  return keys[0]!
}

/** 16 bytes in canonical base64: 21 full characters, one with four bits to spare, two of padding. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/

function bad(message: string): WslbError {
  return new WslbError('WSLB_BAD_HANDSHAKE', message)
}

/** RFC 6455 §4.2.2, item 5.4. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(key).update('258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
}

/**
 * Checks a backend's `101` (RFC 6455 §4.1). A tunnel behind anything else would let a client smuggle requests
 * to a backend that never agreed to leave HTTP.
 * @throws WslbError `WSLB_BAD_ANSWER` (502)
 */
export function checkAnswer(key: string, rawHeaders: readonly string[]): void {
  const accepts = valuesOf(rawHeaders, 'sec-websocket-accept')
  const upgrades = valuesOf(rawHeaders, 'upgrade')
  const problem =
    upgrades.length !== 1 || upgrades[0]!.toLowerCase() !== 'websocket'
      ? 'switched to another protocol than websocket'
      : accepts.length !== 1 || accepts[0] !== acceptFor(key)
        ? 'a wrong or missing Sec-WebSocket-Accept'
        : undefined
  if (problem) throw new WslbError('WSLB_BAD_ANSWER', `the backend answered 101 with ${problem}`)
}
