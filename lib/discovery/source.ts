import { type Clock, type Random } from '../core/clock.ts'

export interface SourceContext {
  /** Aborts when the source is no longer wanted: what it has opened ends with it. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly random: Random
  /** Tells of a failure after which the source goes on by itself. The next list says that it is over. */
  readonly report: (error: unknown) => void
}

/**
 * Says which backends a pool has, now and whenever that changes: every list is complete and takes the place of the one
 * before. A source that throws or ends loses nothing: the last good list stays, and `watch` is called again after a
 * while, 1 second at first, 30 at most.
 *
 * A source is a value: write an object next to `lb.config.ts` and give it as `backends`.
 */
export interface SourceOf<Item> {
  /** For logs and `wslb status`, e.g. `dns(chat.internal:3000)`. The same name means the same place to ask. */
  readonly name: string
  watch(context: SourceContext): AsyncIterable<readonly Item[]>
  /** For a source that reads files: itself, with relative paths starting in this directory, that of the config file. */
  relativeTo?(directory: string): SourceOf<Item>
}
