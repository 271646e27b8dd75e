import { STATUS_CODES } from 'node:http'
import { type WslbError } from '../core/errors.ts'
import { FRAMING_FIELDS, HeaderEdits } from '../core/header-edits.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type HookAnswer } from './hooks.ts'

/** An answer of our own: the same for a response object and for the bare socket of an upgrade. */
export interface OwnAnswer {
  readonly status: number
  /** Names and values alternating. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array
}

/** Why we refuse, as HTTP: `text/plain`, or JSON for a client that prefers it. */
export function refusal(request: IncomingRequest, error: WslbError): OwnAnswer {
  const status = error.status ?? 500
  // Addresses and reasons inside are for the log; a client hears only what it did wrong itself.
  const message = error.blame === 'client' && status < 500 ? error.message : (STATUS_CODES[status] ?? 'Error')
  const json = /\bapplication\/json\b/i.test(String(request.headers.accept ?? ''))
  const headers = [
    'Content-Type',
    json ? 'application/json' : 'text/plain; charset=utf-8',
    'Cache-Control',
    'no-store',
  ]
  // RFC 6455 §4.4, RFC 9110 §15.5.22.
  if (error.code === 'WSLB_BAD_VERSION') headers.push('Sec-WebSocket-Version', '13', 'Upgrade', 'websocket')
  if (error.retryAfter !== undefined) headers.push('Retry-After', String(error.retryAfter))
  const body = json
    ? JSON.stringify({ error: error.code, message })
    : `${status} ${message} (${error.code})\n`
  return withEdits(request, { status, headers, body })
}

/** What a hook answered. @throws TypeError for a header that cannot be sent */
export function hookAnswer(
  request: IncomingRequest,
  { status, headers = {}, body = '' }: HookAnswer,
): OwnAnswer {
  const fields = new HeaderEdits()
  for (const [name, values = []] of Object.entries(headers)) {
    // Copied from another response, perhaps; how this one is framed is ours to say.
    if (FRAMING_FIELDS.has(name.toLowerCase())) continue
    for (const value of [values].flat()) fields.append(name, value)
  }
  return withEdits(request, { status, headers: fields.added.flat(), body })
}

function withEdits(request: IncomingRequest, answer: OwnAnswer): OwnAnswer {
  const { toClient } = request.edits
  if (!toClient) return answer
  const kept: string[] = []
  for (let i = 0; i < answer.headers.length; i += 2) {
    if (!toClient.removes(answer.headers[i]!.toLowerCase()))
      kept.push(answer.headers[i]!, answer.headers[i + 1]!)
  }
  return { ...answer, headers: [...kept, ...toClient.added.flat()] }
}

/** The answer as bytes, for a socket that has left HTTP; the connection ends with it. */
export function serializeAnswer(answer: OwnAnswer): Buffer {
  const { bytes, length } = framed(answer)
  // The Upgrade field belongs to this hop (RFC 9110 §7.8).
  const connection = answer.status === 426 ? 'close, Upgrade' : 'close'
  const fields = [...answer.headers, 'Connection', connection, ...length]
  return Buffer.concat([responseHead(answer.status, undefined, fields), bytes])
}

/** The body, and its length where the status allows one (RFC 9110 §6.4.1, §8.6). */
export function framed({ status, body }: OwnAnswer): { bytes: Buffer; length: readonly string[] } {
  if (status === 204 || status === 304) return { bytes: Buffer.alloc(0), length: [] }
  const bytes = Buffer.from(body)
  return { bytes, length: ['Content-Length', String(bytes.length)] }
}

/** What a status line may carry (RFC 9112 §4). */
export const REASON_PHRASE = /^[\t\x20-\x7e]*$/

/** Status line and fields (RFC 9112 §4); values were checked when they were taken in. */
export function responseHead(status: number, reason: string | undefined, headers: readonly string[]): Buffer {
  const phrase = reason !== undefined && REASON_PHRASE.test(reason) ? reason : (STATUS_CODES[status] ?? '')
  let head = `HTTP/1.1 ${status} ${phrase}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return Buffer.from(`${head}\r\n`, 'latin1')
}
