import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type RelayStatus } from './relay-types.ts'

const PATH = '/relay/health'

/**
 * Answers whoever asks how the relay of this node is.
 * @returns whether the request was for it
 */
export function answerHealth(
  { url = '', method = '' }: IncomingMessage,
  response: ServerResponse,
  status: RelayStatus,
): boolean {
  const [path, query = ''] = url.split('?', 2)
  if (path !== PATH) return false
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
    return true
  }
  const body = JSON.stringify(status)
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
  }
  response.writeHead(isWell(status, new URLSearchParams(query).has('ready')) ? 200 : 503, headers)
  response.end(method === 'HEAD' ? undefined : body)
  return true
}

/** A node whose Redis is away holds its connections; taking it out of service would only lose them. */
function isWell({ state }: RelayStatus, ready: boolean): boolean {
  return ready ? state === 'ready' : state !== 'closed'
}
