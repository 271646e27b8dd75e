import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { valuesOf } from './headers.ts'

/**
 * Refuses what two readers could take for two different requests (RFC 9112 §3.2, §6.1, §6.3).
 * Node's parser has refused the plainly malformed already.
 * @throws WslbError `WSLB_BAD_REQUEST` (400)
 */
export function refuseAmbiguous(request: IncomingRequest): void {
  const { rawHeaders, httpVersion } = request
  let hosts = 0
  let lengths = 0
  let codings = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4) hosts += Number(name.toLowerCase() === 'host')
    else if (name.length === 14) lengths += Number(name.toLowerCase() === 'content-length')
    else if (name.length === 17) codings += Number(name.toLowerCase() === 'transfer-encoding')
  }
  if (hosts > 1) throw bad('more than one Host')
  if (lengths > 1) throw bad('more than one Content-Length')
  if (codings > 0) {
    if (lengths > 0) throw bad('Content-Length together with Transfer-Encoding')
    if (httpVersion !== '1.1') throw bad(`Transfer-Encoding with HTTP/${httpVersion}`)
    if (codings > 1 || valuesOf(rawHeaders, 'transfer-encoding')[0]!.toLowerCase() !== 'chunked') {
      throw bad('Transfer-Encoding other than one "chunked"')
    }
  }
  if (!request.url.startsWith('/')) throw bad(`the request target ${JSON.stringify(request.url)}`)
}

function bad(what: string): WslbError {
  return new WslbError('WSLB_BAD_REQUEST', `refused: ${what}`)
}
