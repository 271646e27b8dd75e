import { UsageError } from './usage-error.ts'

/**
 * A duration as a shell has it. A bare number is milliseconds in a config, and would be taken for seconds here.
 * @throws UsageError
 */
export function withUnit(flag: string, text: string | undefined): string | undefined {
  const bare = text?.trim() ?? ''
  if (!/^\d+(\.\d+)?$/.test(bare)) return text
  if (Number(bare) === 0) return '0ms'
  throw new UsageError(`${flag}: ${bare} of what? Write ${bare}s or ${bare}ms`)
}
