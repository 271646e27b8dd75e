import { type Attempted, type Retry } from '../core/attempted.ts'
import { type Backend } from '../core/backend.ts'
import { type ErrorCode, WslbError, toWslbError } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Lease } from '../pool/lease.ts'
import { type Route } from './router.ts'

/** What is known so far about serving one request; events and the access log are made from it. */
export interface Trace {
  readonly request: IncomingRequest
  /** By the clock. */
  readonly startedAt: number
  route: Route | undefined
  /** The last one that was tried. */
  backend: Backend | undefined
  attempts: number
  /** By the clock, when it began to be held until its backend can serve: the first time, if there were several. */
  heldSince: number | undefined
  retries: readonly Retry[]
  noRetry: 'budget' | undefined
}

/** Nearly all requests have none: they share this one. */
const NO_RETRIES: readonly Retry[] = []

/** The part of a trace that events tell. */
export function attempted({ attempts, retries, noRetry }: Trace): Attempted {
  return { attempts, retries, noRetry }
}

/** @param startedAt by the clock */
export function traceOf(request: IncomingRequest, startedAt: number): Trace {
  return {
    request,
    startedAt,
    route: undefined,
    backend: undefined,
    attempts: 0,
    heldSince: undefined,
    retries: NO_RETRIES,
    noRetry: undefined,
  }
}

/** A backend that it takes out of the set may be tried again. */
type Acquire = (tried: Set<Backend> | undefined) => Lease | Promise<Lease>

/**
 * Tries backends until one serves the request, none twice.
 * @param acquire chooses a backend that has not been tried
 * @param serve settles when the request is served; the lease is its own from then on. When it rejects, the lease is
 *   released with the error and, if the error allows it, another backend gets the request.
 * @throws WslbError the last backend's failure when no other is left, or the budget for retries is used up: it says more
 *   than "no backend"
 */
export async function attempt<T>(
  acquire: Acquire,
  limit: number,
  trace: Trace,
  serve: (lease: Lease) => Promise<T>,
): Promise<T> {
  let tried: Set<Backend> | undefined
  let failure: WslbError | undefined
  for (;;) {
    const next = nextLease(acquire, tried, failure)
    const lease = next instanceof Promise ? await next : next
    if (failure) trace.retries = [...trace.retries, { backend: trace.backend!.id, code: failure.code }]
    trace.backend = lease.backend
    trace.attempts++
    try {
      return await serve(lease)
    } catch (thrown) {
      const error = toWslbError(thrown)
      lease.release(error)
      if (!error.retryable || trace.attempts >= limit) throw error
      if (!trace.route!.pool.allowsRetry) {
        trace.noRetry = 'budget'
        throw error
      }
      failure = error
      tried = (tried ?? new Set()).add(lease.backend)
    }
  }
}

function nextLease(
  acquire: Acquire,
  tried: Set<Backend> | undefined,
  failure: WslbError | undefined,
): Lease | Promise<Lease> {
  const failed = (error: unknown): never => {
    const nobodyLeft = error instanceof WslbError && NOBODY_LEFT.has(error.code)
    throw nobodyLeft && failure ? failure : error
  }
  try {
    const lease = acquire(tried)
    return lease instanceof Promise ? lease.catch(failed) : lease
  } catch (error) {
    return failed(error)
  }
}

const NOBODY_LEFT: ReadonlySet<ErrorCode> = new Set([
  'WSLB_NO_BACKEND',
  'WSLB_AT_CAPACITY',
  'WSLB_TOO_MANY_HANDSHAKES',
])
