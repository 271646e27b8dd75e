import { Refused } from '../admin/refused.ts'
import { type Problem, problemsOf } from '../config/problems.ts'
import { WslbError } from '../core/errors.ts'
import { type Plan } from '../core/events.ts'
import { shownPlaces } from './config-path.ts'
import { EXIT_BIND, EXIT_CONFIG, EXIT_USAGE } from './exit-code.ts'
import { UsageError } from './usage-error.ts'

/** A result: for a person, or with `--json` for a program; on stdout. */
export function say(json: boolean, text: string, data: object): void {
  process.stdout.write(`${json ? JSON.stringify(data) : text}\n`)
}

/** With `--json` they are part of the plan. */
export function withWarnings(text: string, { warnings }: Plan): string {
  return [text, ...warnings.map((warning) => `warning: ${warning}`)].join('\n')
}

/** Writes to stderr what went wrong, a line per problem. @returns the exit code that goes with it */
export function complain(json: boolean, thrown: unknown, file?: string): number {
  for (const problem of shownProblems(thrown, file)) {
    const line = json ? JSON.stringify({ event: 'error', ...problem }) : problem.message
    process.stderr.write(`${line}\n`)
  }
  return exitCodeOf(thrown)
}

function shownProblems(thrown: unknown, file: string | undefined): readonly Problem[] {
  if (thrown instanceof UsageError) return [{ message: thrown.message }]
  const problems =
    thrown instanceof Refused ? thrown.problems : problemsOf(thrown, file === undefined ? [] : [file])
  return problems.map((problem) => ({ ...problem, message: shownPlaces(problem.message) }))
}

function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof UsageError) return EXIT_USAGE
  return thrown instanceof WslbError && thrown.code === 'WSLB_LISTEN' ? EXIT_BIND : EXIT_CONFIG
}
