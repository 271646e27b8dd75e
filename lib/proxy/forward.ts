import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { type WslbError, balancerClosed, toWslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { enter, refuseTheRest, turn } from '../listener/turns.ts'
import { refuseAmbiguous } from '../protocol/ambiguity.ts'
import { tapFor } from './answer-tap.ts'
import { attempt, attempted, traceOf } from './attempt.ts'
import { type ProxyContext } from './context.ts'
import { Exchange, clientGone } from './exchange.ts'
import { PendingResponse } from './pending-response.ts'
import { type OwnAnswer, framed, refusal } from './refusal.ts'
import { RequestBody } from './request-body.ts'
import { runHook } from './run-hook.ts'
import { acquire } from './select.ts'

/** How long a client may go on sending the body of a request that has been answered already. */
const SURPLUS_BODY_LINGER = 2_000

/**
 * One HTTP request, from arrival to the end of the response. Never rejects.
 * @param awaitsContinue the client waits for `100 Continue`, and nobody has sent it yet
 */
export async function forward(
  context: ProxyContext,
  request: IncomingRequest,
  message: IncomingMessage,
  response: ServerResponse,
  awaitsContinue: boolean,
): Promise<void> {
  const { clock, events, settings } = context
  const trace = traceOf(request, clock.now())
  const body = new RequestBody(message, response, { awaitsContinue, clock, silence: settings.timeouts.body })
  let bytesOut = 0
  let error: WslbError | undefined
  const leave = enter(message.socket)
  response.on('error', ignore)
  if (context.state !== 'open') response.shouldKeepAlive = false
  try {
    if (!(await turn(message, response))) throw clientGone()
    refuseAmbiguous(request)
    body.assertUnread()
    if (context.state === 'closed') throw balancerClosed()
    const { onRequest } = settings.hooks
    const answer =
      onRequest && (await runHook(onRequest, request, context, new PendingResponse(response).gone))
    if (answer) {
      bytesOut = send(response, answer, body)
    } else {
      const route = (trace.route = settings.router.route(request))
      const next = (tried: Set<Backend> | undefined) =>
        acquire(
          { request, route, tried, maxWait: undefined, trace },
          context,
          () => new PendingResponse(response),
        )
      await attempt(next, settings.attempts, trace, (lease) =>
        new Exchange({
          request,
          message,
          response,
          lease,
          clock,
          ownCookies: settings.ownCookies,
          timeout: settings.timeouts.response,
          body: body.present ? body : undefined,
          isLast: () => context.state !== 'open' || lease.backend.adminState !== 'active',
          tap: tapFor(route.pool.observers(request, lease.backend)),
          onBytes: (length) => (bytesOut += length),
        }).run(context.httpPools.for(lease.backend)),
      )
      if (!message.complete) discardSurplus(message, clock)
    }
  } catch (thrown) {
    error = toWslbError(thrown)
    if (error.code === 'WSLB_BAD_REQUEST') refuseTheRest(message.socket)
    bytesOut = refuse(request, message, response, error, body)
  }
  leave()
  body.stop()
  if (trace.backend) trace.backend.counters.requests++
  if (!events.wants('request:done')) return
  events.emit('request:done', {
    request,
    pool: trace.route?.pool.name,
    backend: trace.backend?.id,
    status: response.headersSent ? response.statusCode : (error?.status ?? 499),
    duration: clock.now() - trace.startedAt,
    bytesIn: body.bytes,
    bytesOut,
    ...attempted(trace),
    error,
  })
}

/** @returns the length of the body; 0 where the response is on its way already, or cannot be sent */
function refuse(
  request: IncomingRequest,
  { socket }: IncomingMessage,
  response: ServerResponse,
  error: WslbError,
  body: RequestBody,
): number {
  if (response.headersSent || response.destroyed || socket.destroyed) return 0
  // What follows a request that can be read in two ways, or was not waited for, is not read any more.
  if (error.code === 'WSLB_BAD_REQUEST') response.shouldKeepAlive = false
  if (error.code === 'WSLB_CLIENT_GONE') {
    socket.destroy()
    return 0
  }
  try {
    return send(response, refusal(request, error), body)
  } catch {
    socket.destroy()
    return 0
  }
}

/** @returns the length of the body */
function send(response: ServerResponse, answer: OwnAnswer, requestBody: RequestBody): number {
  const { bytes, length } = framed(answer)
  // Whether a body comes that was held back for a 100, only the client knows.
  if (requestBody.heldBack) response.shouldKeepAlive = false
  response.writeHead(answer.status, [...answer.headers, ...length])
  response.end(bytes)
  return bytes.length
}

/** The backend answered before it had the whole body: let the client finish sending, but not for ever. */
function discardSurplus(message: IncomingMessage, clock: Clock): void {
  const { socket } = message
  if (socket.destroyed) return
  const timer = clock.schedule(SURPLUS_BODY_LINGER, () => socket.destroy())
  // Once the response is out, Node tells the message no more that its socket has gone.
  const settle = () => {
    timer.cancel()
    message.off('end', settle)
    socket.off('close', settle)
  }
  message.once('end', settle)
  socket.once('close', settle)
  message.resume()
}

function ignore(): void {}
