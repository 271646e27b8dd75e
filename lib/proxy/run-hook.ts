import { WslbError, isWslbError, messageOf } from '../core/errors.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type ProxyContext } from './context.ts'
import { type Hook, type HookAnswer } from './hooks.ts'
import { type OwnAnswer, hookAnswer } from './refusal.ts'

/**
 * Runs a hook under its time limit.
 * @throws WslbError `WSLB_HOOK_FAILED` (500), `WSLB_REFUSED` (the status of what was thrown), `WSLB_HOOK_TIMEOUT`,
 *   `WSLB_CLIENT_GONE`
 */
export async function runHook(
  hook: Hook,
  request: IncomingRequest,
  { clock, controls, settings }: Pick<ProxyContext, 'clock' | 'controls' | 'settings'>,
  gone: AbortSignal,
): Promise<OwnAnswer | undefined> {
  const timeout = settings.timeouts.hook
  const stop = new AbortController()
  const stopped = new Promise<never>((_resolve, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  const onGone = () => stop.abort(new WslbError('WSLB_CLIENT_GONE', 'the client left while a hook ran'))
  if (gone.aborted) onGone()
  gone.addEventListener('abort', onGone, { once: true })
  const timer = clock.schedule(timeout, () =>
    stop.abort(new WslbError('WSLB_HOOK_TIMEOUT', `a hook did not settle within ${timeout} ms`)),
  )
  try {
    const ran = (async () => hook(request, { signal: stop.signal, balancer: controls }))()
    const answer = checked(await Promise.race([stopped, ran]))
    return answer && hookAnswer(request, answer)
  } catch (thrown) {
    throw hookError(thrown)
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

function hookError(thrown: unknown): WslbError {
  if (isWslbError(thrown)) return thrown
  const status = statusOf(thrown)
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) {
    return new WslbError('WSLB_REFUSED', messageOf(thrown), { status, cause: thrown })
  }
  return new WslbError('WSLB_HOOK_FAILED', `a hook threw: ${messageOf(thrown)}`, { cause: thrown })
}

/** A getter may throw. */
function statusOf(thrown: unknown): unknown {
  try {
    return (thrown as { status?: unknown } | null | undefined)?.status
  } catch {
    return undefined
  }
}
