import { type Socket } from 'node:net'
import { type IncomingMessage } from 'node:http'
import { type Backend } from '../core/backend.ts'
import { WslbError, backendClosed, backendDown, balancerClosed, toWslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { isBusy } from '../listener/turns.ts'
import { refuseAmbiguous } from '../protocol/ambiguity.ts'
import { checkHandshake } from '../protocol/handshake.ts'
import { requestHeaders, responseHeaders, valuesOf, withoutField } from '../protocol/headers.ts'
import { type Accepted, type Declined, handshake } from '../upstream/handshake.ts'
import { type Lease } from '../pool/lease.ts'
import { waitForToken } from './admission.ts'
import { attempt, attempted, traceOf } from './attempt.ts'
import { type ProxyContext } from './context.ts'
import { assertChunkedOnly } from './coding.ts'
import { conductOf } from './conduct-of.ts'
import { PendingClient } from './pending-client.ts'
import { type PendingUpgrade } from './pending-upgrade.ts'
import { refusal, responseHead, serializeAnswer } from './refusal.ts'
import { relayResponse } from './relay-response.ts'
import { runHook } from './run-hook.ts'
import { acquire } from './select.ts'
import { asksLater, closeTryAgainLater } from './try-again-later.ts'
import { MessageMode } from './message-mode.ts'
import { Tunnel } from './tunnel.ts'
import { identityOf } from './tunnel-identity.ts'
import { type TunnelEnd } from './tunnel-options.ts'

/** One upgrade, from arrival to the open tunnel. Never rejects; after the `101` nothing throws. */
export async function upgrade(
  context: ProxyContext,
  request: IncomingRequest,
  socket: Socket,
  head: Buffer,
): Promise<void> {
  // Behind a pipelined request: its response would end up in the middle of the WebSocket stream.
  if (isBusy(socket)) return void socket.destroy()
  const { clock, settings } = context
  const client = new PendingClient(socket, head, clock)
  const pending: PendingUpgrade = { ...traceOf(request, clock.now()), client, waited: 0 }
  context.pending.add(client)
  const rejected = (status: number, error?: WslbError) => reportReject(context, pending, status, error)
  try {
    refuseAmbiguous(request)
    const key = checkHandshake(request)
    if (context.state !== 'open') throw balancerClosed()

    const { hooks } = settings
    const answer = hooks.onUpgrade && (await runHook(hooks.onUpgrade, request, context, client.gone))
    if (answer) {
      client.answer(serializeAnswer(answer))
      return rejected(answer.status)
    }

    const route = settings.router.route(request)
    pending.route = route
    const next = (tried: Set<Backend> | undefined) => {
      const maxWait = Math.max(0, context.settings.admission.maxWait - pending.waited)
      return acquire({ request, route, tried, maxWait, trace: pending }, context, () => client)
    }
    const { lease, result } = await attempt(next, settings.attempts, pending, async (lease) => {
      await waitForToken(context, pending, lease)
      return { lease, result: await dialUpgrade(context, pending, lease, key) }
    })
    if (result.accepted) return open(context, pending, lease, result)
    const { statusCode = 502 } = result.response
    await relayResponse(client, request, lease, result.response)
    rejected(statusCode)
  } catch (thrown) {
    const error = toWslbError(thrown)
    // Before a pool is known, an open balancer refuses nothing by itself: that was a hook, whose word stands.
    const byHook = !pending.route && context.state === 'open'
    if (!byHook && asksLater(context.settings.admission, request, error))
      closeTryAgainLater(client, request, clock)
    else client.answer(serializeAnswer(refusal(request, error)))
    rejected(error.status ?? 500, error)
  } finally {
    context.pending.delete(client)
  }
}

async function dialUpgrade(
  { clock, settings: { timeouts, ownCookies } }: ProxyContext,
  { request, route, client: { gone } }: PendingUpgrade,
  lease: Lease,
  key: string,
): Promise<Accepted | Declined> {
  const { backend } = lease
  const { onMessage } = route!
  const asked = requestHeaders(request, ownCookies)
  // Who reads messages must understand them: on such a route nothing like compression is agreed on (RFC 6455 §9.1).
  const headers = onMessage ? withoutField(asked, EXTENSIONS) : asked
  const stop = new AbortController()
  let stoppedBy: WslbError | undefined
  const onGone = () => stop.abort()
  const stopBy = (error: WslbError) => {
    stoppedBy = error
    stop.abort()
  }
  if (gone.aborted) onGone()
  gone.addEventListener('abort', onGone)
  lease.onCut = () => stopBy(backendClosed(backend, true))
  lease.onDown = () => stopBy(backendDown(backend))
  const startedAt = clock.now()
  try {
    const result = await handshake(
      backend,
      { path: request.url, headers, key },
      { clock, connectTimeout: timeouts.connect, timeout: timeouts.handshake, signal: stop.signal },
    )
    if (stop.signal.aborted) {
      if (result.accepted) result.socket.destroy()
      else result.response.destroy()
      throw new WslbError('WSLB_CLIENT_GONE', 'the client left before the handshake was complete')
    }
    if (!result.accepted) assertRelayable(backend, result.response)
    else if (onMessage) assertNoExtension(backend, result)
    if (result.accepted) backend.handshakeTime.observe(clock.now() - startedAt)
    lease.answer(result.accepted ? 101 : result.response.statusCode!)
    return result
  } catch (error) {
    if (isTimeout(error)) backend.handshakeTime.observe(clock.now() - startedAt)
    throw gone.aborted ? error : (stoppedBy ?? error)
  } finally {
    gone.removeEventListener('abort', onGone)
    lease.onCut = undefined
    lease.onDown = undefined
  }
}

/** It took at least that long: a backend that hangs must not keep the figures of its better days. */
function isTimeout(error: unknown): boolean {
  if (!(error instanceof WslbError)) return false
  return error.code === 'WSLB_HANDSHAKE_TIMEOUT' || error.code === 'WSLB_CONNECT_TIMEOUT'
}

/** @throws WslbError `WSLB_BAD_ANSWER` for what cannot be passed on as it is */
function assertRelayable(backend: Backend, response: IncomingMessage): void {
  try {
    assertChunkedOnly(backend, response.headers['transfer-encoding'])
    if ((response.statusCode ?? 0) < 200)
      throw new WslbError('WSLB_BAD_ANSWER', `${backend.url.host} answered nonsense`)
  } catch (error) {
    response.destroy()
    throw error
  }
}

const EXTENSIONS = 'sec-websocket-extensions'

/** @throws WslbError `WSLB_BAD_ANSWER` for an extension that nobody has offered (RFC 6455 §4.1) */
function assertNoExtension(backend: Backend, { socket, rawHeaders }: Accepted): void {
  if (valuesOf(rawHeaders, EXTENSIONS).length === 0) return
  socket.destroy()
  throw new WslbError('WSLB_BAD_ANSWER', `${backend.url.host} agreed to an extension that was not offered`)
}

/** The `101` goes out, and the two sockets become one tunnel. */
function open(
  context: ProxyContext,
  pending: PendingUpgrade,
  lease: Lease,
  { socket: upstream, head, rawHeaders }: Accepted,
): void {
  const { request, startedAt, client, route } = pending
  const { name, pool, onMessage } = route!
  const { clock, random, events, tunnels, sweeps, rebalances } = context
  const { backend } = lease
  const { early, ended } = client.release()
  const handshake = clock.now() - startedAt
  const id = tunnels.nextId()
  const tunnel = new Tunnel({
    id,
    request,
    backend,
    route: name,
    handshake,
    client: client.socket,
    upstream,
    clock,
    random,
    times: () => sweeps.times,
    messages: onMessage && messageMode(context, id, request, backend, name),
    onEnd: (ended: Tunnel, end: TunnelEnd) => {
      tunnels.delete(ended)
      lease.release()
      if (events.wants('tunnel:close'))
        events.emit('tunnel:close', { ...identityOf(ended), ...ended.traffic, ...end, duration: ended.age })
      pool.tunnelEnded(backend, conductOf(ended, end))
    },
  })
  tunnels.add(tunnel)
  lease.onCut = (cause) => tunnel.destroy(cause)
  sweeps.start()
  rebalances.watch(pool)
  backend.counters.upgrades++
  // A `101` has no body (RFC 9110 §8.6).
  const headers = responseHeaders(
    withoutField(rawHeaders, 'content-length'),
    lease.setCookies,
    request.edits.toClient,
  )
  client.socket.write(
    responseHead(101, undefined, [...headers, 'Connection', 'Upgrade', 'Upgrade', 'websocket']),
  )
  tunnel.start({ fromClient: early, clientEnded: ended, fromBackend: head })
  if (events.wants('tunnel:open'))
    events.emit('tunnel:open', { ...identityOf(tunnel), ...attempted(pending) })
}

/** The tunnel keeps the name of its route, not the hook: a config that has been replaced is let go. */
function messageMode(
  context: ProxyContext,
  tunnel: number,
  request: IncomingRequest,
  backend: Backend,
  route: string,
): MessageMode {
  return new MessageMode({
    tunnel,
    request,
    backend,
    controls: context.controls,
    rule: () => context.settings.router.onMessage(route),
    timeout: () => context.settings.timeouts.hook,
  })
}

function reportReject(
  { clock, events }: ProxyContext,
  pending: PendingUpgrade,
  status: number,
  error: WslbError | undefined,
): void {
  const { request, startedAt, route, backend } = pending
  const duration = clock.now() - startedAt
  events.emit('upgrade:reject', {
    request,
    pool: route?.pool.name,
    backend: backend?.id,
    ...attempted(pending),
    status,
    duration,
    error,
  })
}
