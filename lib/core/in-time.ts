import { type Clock } from './clock.ts'
import { untilAborted } from './until-aborted.ts'

/**
 * Does one thing for so many milliseconds at most. What does not end by the signal it is given goes on unheard.
 * @throws what the work throws; an error when the time is over; the reason of the signal
 */
export async function inTime<T>(
  ms: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const giveUp = () => controller.abort(signal.reason)
  signal.addEventListener('abort', giveUp)
  const timer = clock.schedule(ms, () => controller.abort(new Error(`no answer within ${ms} ms`)))
  try {
    return await untilAborted(work(controller.signal), controller.signal)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', giveUp)
  }
}
