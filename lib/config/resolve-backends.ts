import { ConfigError, type ConfigProblem } from '../core/errors.ts'
import { type HealthOptions } from '../health/options.ts'
import { type BackendSpec } from '../pool/membership.ts'
import { backend } from './backend-rule.ts'
import { overrideProblems } from './override-problems.ts'
import { idProblems } from './relations.ts'
import { mismatch } from './rule.ts'
import { BACKEND_LIST } from './source-rule.ts'
import { toProblems } from './to-problems.ts'

/** A longer list is a mistake, and would be looked at again and again. */
const LONGEST = 100_000
/** Then whoever mends the list has enough to do: what is wrong with it comes with every look, unlike in a config. */
const MOST_PROBLEMS = 20

/**
 * A list that a source gave, by the rules of a list in the config. A wrong one is not read further than it takes to say
 * what is wrong.
 * @param health that of the pool, if it has one
 * @throws ConfigError with the first problems, each with its path: `backends[2].url`
 */
export function resolveBackends(given: unknown, health?: HealthOptions): readonly BackendSpec[] {
  if (!Array.isArray(given)) throw wrong(mismatch(given, BACKEND_LIST))
  if (given.length > LONGEST) throw wrong(`has ${given.length} items; expected at most ${LONGEST}`)
  const backends: BackendSpec[] = []
  const problems: ConfigProblem[] = []
  let looked = 0
  while (looked < given.length && problems.length < MOST_PROBLEMS) {
    const { success, data, error } = backend.safeParse(given[looked])
    if (success) backends.push(data)
    else problems.push(...error.issues.flatMap((issue) => toProblems(at(looked, issue))))
    looked++
  }
  problems.push(...idProblems({ backends: given.slice(0, looked) }))
  if (problems.length === 0) problems.push(...overrideProblems([], backends, health))
  if (problems.length === 0) return backends
  const told = problems.slice(0, MOST_PROBLEMS)
  const rest = [
    ...(problems.length > told.length ? [`${problems.length - told.length} more problems`] : []),
    ...(looked < given.length ? [`${given.length - looked} more items were not looked at`] : []),
  ]
  if (rest.length > 0) told.push({ path: 'backends', message: `… and ${rest.join('; ')}` })
  throw new ConfigError(told)
}

function at<Issue extends { readonly path: PropertyKey[] }>(index: number, issue: Issue): Issue {
  return { ...issue, path: ['backends', index, ...issue.path] }
}

function wrong(message: string): ConfigError {
  return new ConfigError([{ path: 'backends', message }])
}
