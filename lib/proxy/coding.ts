import { type Backend } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'

/**
 * A coding other than `chunked` would be taken off with the field that names it, and the body passed on coded
 * (RFC 9112 §6.1).
 * @throws WslbError `WSLB_BAD_ANSWER`
 */
export function assertChunkedOnly({ url }: Backend, coding: string | string[] | undefined): void {
  if (coding === undefined || String(coding).toLowerCase() === 'chunked') return
  throw new WslbError('WSLB_BAD_ANSWER', `${url.host} answered with Transfer-Encoding: ${String(coding)}`)
}
