import { isIPv6 } from 'node:net'
import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { valuesOf } from './headers.ts'

/**
 * Refuses what two readers could take for two different requests (RFC 9110 §4.2.4, RFC 9112 §3.2, §6.1, §6.3).
 * Node's parser has refused the plainly malformed already.
 * @throws WslbError `WSLB_BAD_REQUEST` (400)
 */
export function refuseAmbiguous(request: IncomingRequest): void {
  const { rawHeaders, httpVersion, host, url } = request
  // Node's parser takes 0.9 and 2.0 as well; how such a message is framed nobody has written down.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw bad(`HTTP/${httpVersion}; 1.0 and 1.1 are served`)
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
  if (!isHost(host)) throw bad(`the host ${JSON.stringify(host)}`)
  // A target in absolute form wins over the field, which must be right all the same (RFC 9112 §3.2).
  const field = request.headers.host ?? ''
  if (field !== host && !isHost(String(field))) throw bad(`the Host ${JSON.stringify(field)}`)
  if (!url.startsWith('/') || url.includes('#')) throw bad(`the request target ${JSON.stringify(url)}`)
}

/**
 * Names, addresses and nothing, with or without a port. RFC 3986 §3.2.2 has more (`%2f`, `a,b`, `a;b`), which no
 * client in use sends and which some backend takes for a path, a list or a user.
 */
const HOST = /^(?:[\w-]+(?:\.[\w-]+)*\.?(?::\d{0,5})?)?$/
const BRACKETED = /^\[([\da-f:.]+)\](?::\d{0,5})?$/i

function isHost(given: string): boolean {
  return HOST.test(given) || isIPv6(BRACKETED.exec(given)?.[1] ?? '')
}

function bad(what: string): WslbError {
  return new WslbError('WSLB_BAD_REQUEST', `refused: ${what}`)
}
