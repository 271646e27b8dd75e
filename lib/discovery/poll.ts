import { assertOptions } from '../core/assert-options.ts'
import { type Duration } from '../core/duration.ts'
import { sleep } from '../core/sleep.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { inTime } from '../core/in-time.ts'
import { period } from './period.ts'
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
 * @throws ConfigError for an option that is none
 */
export function poll<Item>(fn: PollFunction<Item>, options: PollOptions = {}): SourceOf<Item> {
  assertOptions('poll', options, { every: true, timeout: true })
  const { every = '10s', timeout = '5s' } = options
  const [pause, patience] = [period('every', every), period('timeout', timeout)]
  return {
    name: fn.name === '' ? 'poll' : `poll(${fn.name})`,
    async *watch(context) {
      for (;;) {
        yield await call(fn, patience, context)
        await sleep(pause * (0.9 + 0.2 * context.random()), context.clock, context.signal)
      }
    },
  }
}

async function call<Item>(
  fn: PollFunction<Item>,
  timeout: number,
  context: SourceContext,
): Promise<readonly Item[]> {
  let answer: Promise<unknown> = Promise.resolve()
  try {
    return await inTime(timeout, context, (signal) => {
      const list = (async () => fn({ signal }))()
      answer = list
      return list
    })
  } catch (error) {
    context.report(error)
    // It may take its time to end, or never do.
    await untilAborted(answer, context.signal).catch(() => {})
    throw error
  }
}
