import { explain } from '../config/locate.ts'
import { ConfigError, WslbError, messageOf } from '../core/errors.ts'
import { shownPlaces } from './config-path.ts'
import { EXIT_BIND, EXIT_CONFIG, EXIT_USAGE } from './exit-code.ts'
import { UsageError } from './usage-error.ts'

/** A result: for a person, or with `--json` for a program; on stdout. */
export function say(json: boolean, text: string, data: object): void {
  process.stdout.write(`${json ? JSON.stringify(data) : text}\n`)
}

/** Writes to stderr what went wrong, a line per problem. @returns the exit code that goes with it */
export function complain(json: boolean, thrown: unknown, file?: string): number {
  for (const problem of problemsOf(thrown, file)) {
    const line = json ? JSON.stringify({ event: 'error', ...problem }) : problem.message
    process.stderr.write(`${line}\n`)
  }
  return exitCodeOf(thrown)
}

interface Problem {
  readonly code?: string
  readonly path?: string
  /** For a config: `lb.config.ts:3: backends[0].url: …`. */
  readonly message: string
}

function problemsOf(thrown: unknown, file: string | undefined): readonly Problem[] {
  if (thrown instanceof ConfigError) {
    const { code } = thrown
    const files = file === undefined ? [] : [file]
    return thrown.problems.map((problem) => ({
      code,
      path: problem.path,
      message: shownPlaces(explain(new ConfigError([problem], code), files)),
    }))
  }
  if (thrown instanceof WslbError) return [{ code: thrown.code, message: thrown.message }]
  if (thrown instanceof UsageError) return [{ message: thrown.message }]
  // Not foreseen: whoever reports it needs the stack.
  return [{ message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown) }]
}

function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof UsageError) return EXIT_USAGE
  return thrown instanceof WslbError && thrown.code === 'WSLB_LISTEN' ? EXIT_BIND : EXIT_CONFIG
}
