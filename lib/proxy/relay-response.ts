import { type IncomingMessage } from 'node:http'
import { type IncomingRequest } from '../core/request.ts'
import { type Lease } from '../pool/lease.ts'
import { responseHeaders } from '../protocol/headers.ts'
import { type PendingClient } from './pending-client.ts'
import { responseHead } from './refusal.ts'
import { reset } from './reset.ts'

/**
 * Relays what a backend answered instead of a `101`, head and body, and ends the connection: Node has let go of it,
 * no later request on it would be read. The length of the body is the backend's own, or chunks made anew.
 */
export async function relayResponse(
  client: PendingClient,
  request: IncomingRequest,
  lease: Lease,
  response: IncomingMessage,
): Promise<void> {
  const { statusCode = 502, statusMessage, rawHeaders, headers } = response
  const chunked = headers['content-length'] === undefined && ![204, 304].includes(statusCode)
  const fields = responseHeaders(rawHeaders, lease.setCookies, request.edits.toClient)
  fields.push('Connection', 'close')
  if (chunked) fields.push('Transfer-Encoding', 'chunked')
  client.beginAnswer(responseHead(statusCode, statusMessage, fields))
  const { socket } = client
  // An answer without an end would otherwise be waited for long after its client has left.
  const onGone = () => void response.destroy()
  lease.onCut = onGone
  client.gone.addEventListener('abort', onGone, { once: true })
  try {
    for await (const chunk of response) {
      writeBody(client, chunk as Buffer, chunked)
      await client.drained()
      if (client.gone.aborted) return
    }
    // A body cut short ends the loop with an error, never here.
    client.endAnswer(chunked ? Buffer.from('0\r\n\r\n') : undefined)
  } catch {
    reset(socket)
  } finally {
    client.gone.removeEventListener('abort', onGone)
    response.destroy()
    lease.release()
  }
}

function writeBody({ socket }: PendingClient, chunk: Buffer, chunked: boolean): void {
  if (!chunked) return void socket.write(chunk)
  socket.cork()
  socket.write(`${chunk.length.toString(16)}\r\n`)
  socket.write(chunk)
  socket.write('\r\n')
  socket.uncork()
}
