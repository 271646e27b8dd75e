import { type z } from 'zod'
import { UsageError } from './usage-error.ts'

/** Flags, checked by the rule that the same options have in a config. @throws UsageError */
export function checked<T>(rule: z.ZodType<T>, flags: Readonly<Record<string, unknown>>): T {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const { success, data, error } = rule.safeParse(given)
  if (success) return data
  throw new UsageError(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
}

/** A code is a number; what is none stays what it is. */
export function numeric(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}
