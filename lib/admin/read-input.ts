import { type IncomingMessage } from 'node:http'
import { messageOf } from '../core/errors.ts'

/** In bytes. A call is a handful of words. */
export const LONGEST_INPUT = 64 * 1024

/** A call that is not understood, with the HTTP status that says so. */
export class BadCall extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The body of a call: a JSON object, or nothing. @throws BadCall */
export async function readInput(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = []
  let length = 0
  // Whoever sends too much is still to be told.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LONGEST_INPUT) throw new BadCall(413, `a call has at most ${LONGEST_INPUT} bytes`)
    chunks.push(chunk)
  }
  if (length === 0) return {}
  const input = parse(Buffer.concat(chunks).toString())
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new BadCall(400, 'a call is a JSON object')
  return input as Record<string, unknown>
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadCall(400, `a call is a JSON object: ${messageOf(error)}`)
  }
}
