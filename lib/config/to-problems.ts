import { type z } from 'zod'
import { type ConfigProblem } from '../core/errors.ts'
import { formatPath } from './relations.ts'

/** What the schema complains about, one problem for each unknown key. */
export function toProblems(issue: z.core.$ZodIssue): ConfigProblem[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: formatPath(issue.path), message: issue.message }]
  const messages = issue.message.split('\n')
  return issue.keys.map((key, index) => ({
    path: formatPath([...issue.path, key]),
    message: messages[index]!,
  }))
}
