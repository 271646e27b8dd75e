import { ConfigError, type ErrorCode, messageOf, WslbError } from '../core/errors.ts'
import { explain } from './locate.ts'

/** One thing that is wrong, ready to be shown. */
export interface Problem {
  readonly code?: ErrorCode
  /** Where in the config, e.g. `backends[2].weight`. */
  readonly path?: string
  /** For a config: `/srv/lb.config.ts:3: backends[0].url: …`. */
  readonly message: string
}

/** What was thrown, problem by problem. @param files the config and what it imports, to find the places in */
export function problemsOf(thrown: unknown, files: readonly string[]): readonly Problem[] {
  if (thrown instanceof ConfigError) {
    const { code } = thrown
    return thrown.problems.map((problem) => ({
      code,
      path: problem.path,
      message: explain(new ConfigError([problem], code), files),
    }))
  }
  if (thrown instanceof WslbError) return [{ code: thrown.code, message: thrown.message }]
  // Not foreseen: whoever reports it needs the stack.
  return [{ message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown) }]
}
