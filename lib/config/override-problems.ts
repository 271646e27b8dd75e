import { type ConfigProblem } from '../core/errors.ts'
import { type HealthOptions, healthOf } from '../health/options.ts'
import { type BackendSpec } from '../pool/membership.ts'
import { healthProblems } from './health-rule.ts'
import { formatPath } from './relations.ts'

/** What backends say of their health can be right by itself, and wrong for what their pool says. */
export function overrideProblems(
  path: readonly PropertyKey[],
  backends: readonly BackendSpec[],
  pool: HealthOptions | undefined,
): ConfigProblem[] {
  return backends.flatMap(({ health: own }, index) => {
    const merged = own ? healthOf(pool, own) : undefined
    return (merged ? healthProblems(merged) : []).map(({ key, message }) => ({
      path: formatPath([...path, 'backends', index, 'health', key]),
      message,
    }))
  })
}
