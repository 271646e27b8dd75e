import { ConfigError } from '../core/errors.ts'
import { type HealthOptions } from '../health/options.ts'
import { type BackendSpec } from '../pool/membership.ts'
import { overrideProblems } from './override-problems.ts'
import { idProblems } from './relations.ts'
import { object } from './rule.ts'
import { backendList } from './source-rule.ts'
import { toProblems } from './to-problems.ts'

const rule = object('', { backends: backendList })

/**
 * A list that a source gave, by the rules of a list in the config.
 * @param health that of the pool, if it has one
 * @throws ConfigError with every problem, each with its path: `backends[2].url`
 */
export function resolveBackends(backends: unknown, health?: HealthOptions): readonly BackendSpec[] {
  const { success, data, error } = rule.safeParse({ backends })
  const problems = [...(error?.issues ?? []).flatMap(toProblems), ...idProblems({ backends })]
  if (data) problems.push(...overrideProblems([], data.backends, health))
  if (!success || problems.length > 0) throw new ConfigError(problems)
  return data.backends
}
