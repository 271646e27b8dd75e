import { WslbError, isWslbError, messageOf } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type ProxyContext } from './context.ts'
import { type Hook, type HookAnswer } from './hooks.ts'
import { type OwnAnswer, hookAnswer } from './refusal.ts'

/** What running a hook takes. */
export type HookRunner = Pick<ProxyContext, 'clock' | 'controls' | 'settings'>

/**
 * Runs `hooks.onRequest` or `hooks.onUpgrade`.
 * @throws WslbError as {@link withinTime}
 */
export async function runHook(
  hook: Hook,
  request: IncomingRequest,
  runner: HookRunner,
  gone: AbortSignal,
): Promise<OwnAnswer | undefined> {
  return withinTime('a hook', runner, gone, async (signal) => {
    const answer = checked(await hook(request, { signal, balancer: runner.controls }))
    return answer && hookAnswer(request, answer)
  })
}

/**
 * Runs code of the user's under the time limit of hooks.
 * @param name for messages
 * @throws WslbError `WSLB_HOOK_FAILED` (500), `WSLB_REFUSED` (the status of what was thrown), `WSLB_HOOK_TIMEOUT`,
 *   `WSLB_CLIENT_GONE`
 */
export async function withinTime<T>(
  name: string,
  { clock, settings }: HookRunner,
  gone: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = settings.timeouts.hook
  const stop = new AbortController()
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  const onGone = () => stop.abort(new WslbError('WSLB_CLIENT_GONE', `the client left while ${name} ran`))
  if (gone.aborted) onGone()
  gone.addEventListener('abort', onGone, { once: true })
  const timer = clock.schedule(timeout, () =>
    stop.abort(new WslbError('WSLB_HOOK_TIMEOUT', `${name} did not settle within ${timeout} ms`)),
  )
  try {
    return await Promise.race([stopped, run(stop.signal)])
  } catch (thrown) {
    throw hookError(name, thrown)
  } finally {
    timer.cancel()
    gone.removeEventListener('abort', onGone)
  }
}

function checked(answer: HookAnswer | void): HookAnswer | undefined {
  if (answer === undefined) return undefined
  const status: unknown = (answer as HookAnswer | null)?.status
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    throw new WslbError(
      'WSLB_HOOK_FAILED',
      `a hook answered with status ${messageOf(status)}, not one of 200 to 599`,
    )
  }
  return answer
}

/** What becomes of what a hook has thrown. */
export function hookError(name: string, thrown: unknown): WslbError {
  if (isWslbError(thrown)) return thrown
  const status = statusOf(thrown)
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) {
    return new WslbError('WSLB_REFUSED', messageOf(thrown), { status, cause: thrown })
  }
  return new WslbError('WSLB_HOOK_FAILED', `${name} threw: ${messageOf(thrown)}`, { cause: thrown })
}

/** A getter may throw. */
function statusOf(thrown: unknown): unknown {
  try {
    return (thrown as { status?: unknown } | null | undefined)?.status
  } catch {
    return undefined
  }
}
