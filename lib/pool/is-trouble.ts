import { type ErrorCode, isWslbError } from '../core/errors.ts'

/** Refused, timed out, reset before a response byte. What an application answers, or cuts short, is its own affair. */
export function isTrouble(error: unknown): boolean {
  return !isWslbError(error) || TROUBLE.has(error.code)
}
const TROUBLE: ReadonlySet<ErrorCode> = new Set([
  'WSLB_CONNECT_FAILED',
  'WSLB_CONNECT_TIMEOUT',
  'WSLB_BACKEND_RESET',
  'WSLB_HANDSHAKE_TIMEOUT',
  'WSLB_RESPONSE_TIMEOUT',
])

/** There was no connection. Whatever comes later may be the doing of a request, and so of a client. */
export function isUnreachable(error: unknown): boolean {
  return isWslbError(error) && UNREACHABLE.has(error.code)
}
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set(['WSLB_CONNECT_FAILED', 'WSLB_CONNECT_TIMEOUT'])
