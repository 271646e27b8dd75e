import { inspect } from 'node:util'
import { abandon, isThenable } from '../core/at-once.ts'
import { type Backend } from '../core/backend.ts'
import { WslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Lease } from '../pool/lease.ts'
import { asksForWebSocket } from '../protocol/handshake.ts'
import { type ProxyContext } from './context.ts'
import { type Controls } from './controls.ts'
import { acquireOrHold, type Holdable, type Waiter } from './hold.ts'
import { type SelectHook } from './hooks.ts'
import { type Route } from './router.ts'
import { hookError, type HookRunner, withinTime } from './run-hook.ts'

const NAME = 'hooks.select'

/** A request that is to get a backend; see `Pool.acquire`. */
export interface Wanted {
  readonly request: IncomingRequest
  readonly route: Route
  readonly tried: Set<Backend> | undefined
  readonly maxWait: number | undefined
}

/**
 * A backend by the choice of the pool, or of `hooks.select` where there is one.
 * @param client asked for only when there is a hook, or the client is held
 * @throws WslbError as `Pool.acquire` and `withinTime`
 */
export function acquire(
  wanted: Wanted & Holdable,
  context: ProxyContext,
  client: () => Waiter,
): Lease | Promise<Lease> {
  const { select, pool } = wanted.route
  if (select) return acquireSelected(wanted, select, context, client())
  return acquireOrHold(pool, wanted, context, client)
}

async function acquireSelected(
  wanted: Wanted & Holdable,
  select: SelectHook,
  context: ProxyContext,
  client: Waiter,
): Promise<Lease> {
  const { gone } = client
  for (;;) {
    const candidates = candidatesFor(wanted)
    const chosen =
      candidates.length > 0 &&
      (await withinTime(NAME, context, gone, async (signal) =>
        chosenOf(await ask(wanted, candidates, select, signal, context.controls), candidates),
      ))
    if (!chosen) return acquireOrHold(wanted.route.pool, wanted, context, () => client)
    // While the hook thought about it, the backend may have left service, or become full.
    if (candidatesFor(wanted).includes(chosen)) return take(wanted, chosen)
  }
}

/**
 * {@link acquire} for who cannot wait, neither for a hook nor for a token.
 * @throws WslbError `WSLB_HOOK_FAILED` when the hook returns a promise
 */
export function acquireNow(request: IncomingRequest, { settings, controls }: HookRunner): Lease {
  const route = settings.router.route(request)
  const maxWait = asksForWebSocket(request.headers.upgrade) ? 0 : undefined
  const wanted = { request, route, tried: undefined, maxWait }
  const { select } = route
  const candidates = select ? candidatesFor(wanted) : []
  if (!select || candidates.length === 0) return take(wanted)
  let chosen: Backend | undefined
  try {
    const { signal } = new AbortController()
    const answer = ask(wanted, candidates, select, signal, controls)
    if (isThenable(answer)) throw cannotWait(answer)
    chosen = chosenOf(answer, candidates)
  } catch (thrown) {
    throw hookError(NAME, thrown)
  }
  return take(wanted, chosen)
}

function candidatesFor({ route, tried, maxWait }: Wanted): readonly Backend[] {
  return route.pool.candidates(tried, maxWait)
}

function take({ request, route, tried, maxWait }: Wanted, chosen?: Backend): Lease {
  return route.pool.acquire(request, tried, maxWait, chosen)
}

function ask(
  { request, route: { pool }, tried, maxWait }: Wanted,
  candidates: readonly Backend[],
  select: SelectHook,
  signal: AbortSignal,
  balancer: Controls,
): unknown {
  const owner = pool.ownerOf(request, tried, maxWait)
  return select(request, candidates, { pool: pool.name, owner, signal, balancer })
}

/** @throws WslbError `WSLB_HOOK_FAILED` for what is no candidate */
function chosenOf(answer: unknown, candidates: readonly Backend[]): Backend | undefined {
  if (answer === undefined) return undefined
  const chosen = candidates.find((backend) => backend === answer || backend.id === answer)
  if (chosen) return chosen
  const what = answer instanceof Object && 'id' in answer ? answer.id : answer
  const among = candidates.slice(0, 10).map(({ id }) => id)
  if (candidates.length > among.length) among.push('…')
  throw new WslbError(
    'WSLB_HOOK_FAILED',
    `${NAME} returned ${inspect(what, { depth: 0 })}, which is none of its candidates: ${among.join(', ')}`,
  )
}

function cannotWait(answer: PromiseLike<unknown>): WslbError {
  abandon(answer)
  return new WslbError(
    'WSLB_HOOK_FAILED',
    `${NAME} returned a promise, and balancer.pick() cannot wait; return a candidate at once, or leave the routes that pick() serves without it`,
  )
}
