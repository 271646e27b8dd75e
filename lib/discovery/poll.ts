import { type Duration, durationArgument } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import { sleep } from '../core/sleep.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { type SourceContext, type SourceOf } from './source.ts'

/** Gives the backends of now. `signal` aborts when the answer would come too late. */
export type PollFunction<Item> = (context: {
  readonly signal: AbortSignal
}) => readonly Item[] | Promise<readonly Item[]>

export interface PollOptions {
  /** From the end of a call to the next one, ±10 %. After a failure, see {@link SourceOf}. @default '10s' */
  every?: Duration
  /** A call that has not answered by then has failed. @default '5s' */
  timeout?: Duration
}

/**
 * Asks a function for the backends, again and again, never twice at once: one that ignores its `signal` and hangs is
 * waited for.
 * @throws ConfigError for a time that is none
 */
export function poll<Item>(
  fn: PollFunction<Item>,
  { every = '10s', timeout = '5s' }: PollOptions = {},
): SourceOf<Item> {
  const [period, patience] = [positive('every', every), positive('timeout', timeout)]
  return {
    name: fn.name === '' ? 'poll' : `poll(${fn.name})`,
    async *watch(context) {
      for (;;) {
        yield await call(fn, patience, context)
        await sleep(period * (0.9 + 0.2 * context.random()), context.clock, context.signal)
      }
    },
  }
}

async function call<Item>(
  fn: PollFunction<Item>,
  timeout: number,
  { signal, clock, report }: SourceContext,
): Promise<readonly Item[]> {
  const controller = new AbortController()
  const giveUp = () => controller.abort(signal.reason)
  signal.addEventListener('abort', giveUp)
  let late: Error | undefined
  const timer = clock.schedule(timeout, () => {
    late = new Error(`no answer within ${timeout} ms`)
    controller.abort(late)
    // It may take its time to end, or never do.
    report(late)
  })
  try {
    const list = await untilAborted((async () => fn({ signal: controller.signal }))(), signal)
    if (late === undefined) return list
    throw late
  } catch (error) {
    // What it says about the abort is less than what we know.
    throw late ?? error
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', giveUp)
  }
}

function positive(name: string, duration: Duration): number {
  const ms = durationArgument(name, duration)
  if (ms === 0) throw new ConfigError([{ path: name, message: 'got 0; expected a duration above 0' }])
  return ms
}
