import { type Clock } from '../core/clock.ts'
import { type ErrorCode, type WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { FrameTracker } from '../protocol/frame-tracker.ts'
import { closeFrame } from '../protocol/frame-writer.ts'
import { acceptFor, checkHandshake } from '../protocol/handshake.ts'
import { responseHeaders, valuesOf } from '../protocol/headers.ts'
import { type Admission } from './admission.ts'
import { type PendingClient } from './pending-client.ts'
import { responseHead } from './refusal.ts'

/** How long a client may take to answer our Close. */
const CLOSING = 2_000
/** RFC 6455 §7.4, IANA's registry of close codes: Try Again Later. */
const TRY_AGAIN_LATER = closeFrame(1013, 'try again later', false)

const LATER: ReadonlySet<ErrorCode> = new Set([
  'WSLB_NO_BACKEND',
  'WSLB_AT_CAPACITY',
  'WSLB_TOO_MANY_HANDSHAKES',
  'WSLB_BACKEND_LOST',
  'WSLB_CLOSED',
])

/** Whether the client is a browser that is to hear of this refusal from a Close frame. */
export function asksLater(
  { browsers }: Admission,
  { headers: { origin } }: IncomingRequest,
  { code }: WslbError,
): boolean {
  return browsers === 'close-1013' && origin !== undefined && LATER.has(code)
}

/**
 * A refusal that JavaScript can see, for a handshake that is right: it is accepted, and the WebSocket closed at once.
 * Without extensions; with the first subprotocol that is offered, for a browser fails the connection if none is chosen.
 */
export function closeTryAgainLater(client: PendingClient, request: IncomingRequest, clock: Clock): void {
  const { socket } = client
  const protocol = firstProtocol(request)
  const accepted = ['Sec-WebSocket-Accept', acceptFor(checkHandshake(request))]
  if (protocol !== undefined) accepted.push('Sec-WebSocket-Protocol', protocol)
  const headers = responseHeaders(accepted, [], request.edits.toClient)
  const head = responseHead(101, undefined, [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket'])
  client.beginAnswer(Buffer.concat([head, TRY_AGAIN_LATER]))

  const tracker = new FrameTracker()
  const onData = (chunk: Buffer) => {
    tracker.track(chunk)
    if (tracker.closing) end()
  }
  const end = () => {
    timer.cancel()
    socket.off('data', onData)
    socket.off('end', end)
    socket.off('close', end)
    client.endAnswer()
  }
  const timer = clock.schedule(CLOSING, end)
  socket.on('data', onData)
  socket.on('end', end)
  socket.on('close', end)
  if (socket.readableEnded || socket.destroyed) end()
}

/** Spelt as the client has it (RFC 6455 §4.1: another one fails the connection). */
function firstProtocol({ rawHeaders }: IncomingRequest): string | undefined {
  const offered = valuesOf(rawHeaders, 'sec-websocket-protocol').join().split(',')
  return offered.map((name) => name.trim()).find((name) => name !== '')
}
