import { z } from 'zod'
import { closestTo, unknownKey } from '../core/closest.ts'

/** A schema whose output is `T`. */
export type Rule<T> = z.ZodType<T>

/** The one sentence for a wrong value: what was given, what is allowed. */
export function mismatch(value: unknown, allowed: string, hint = ''): string {
  const given = value === undefined ? 'is missing' : `got ${show(value)}`
  return `${given}; expected ${allowed}${hint}`
}

/** What is wrong with a value. */
export class Wrong {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

/** A value that is taken whole: `judge` gives what it means, or what is wrong with it. */
export function judged<T>(judge: (value: unknown) => T | Wrong): Rule<T> {
  return z.unknown().transform((given, context): T => {
    const verdict = judge(given)
    if (!(verdict instanceof Wrong)) return verdict
    context.issues.push({ code: 'custom', input: given, message: verdict.message })
    return z.NEVER
  })
}

/** A value that is taken whole: `parse` gives what it means, or `undefined` when it is not allowed. */
export function value<T>(allowed: string, parse: (value: unknown) => T | undefined): Rule<T> {
  return judged((given) => parse(given) ?? new Wrong(mismatch(given, allowed)))
}

/** A value that is something else, and what helps. */
export function mistaken(remedy: string): Rule<never> {
  return judged<never>((given) => new Wrong(`got ${show(given)}; ${remedy}`))
}

/** One of some names; `others` is what else the option takes. */
export function oneOf<const T extends string>(names: readonly T[], others = ''): Rule<T> {
  const allowed = names.map((name) => `"${name}"`).join(', ') + others
  return judged(
    (given) =>
      names.find((name) => name === given) ?? new Wrong(mismatch(given, allowed, closestTo(given, names))),
  )
}

/** Nothing but these keys. The message of unknown ones has one line a key, in the order of `issue.keys`. */
export function object<S extends z.ZodRawShape>(allowed: string, shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => unknownKey(key, known)).join('\n')
        : mismatch(issue.input, allowed),
  })
}

export function list<T>(allowed: string, item: Rule<T>): Rule<T[]> {
  return z.array(item, { error: (issue) => mismatch(issue.input, allowed) })
}

/** Several forms: the kind of the value decides which one is meant, so that its problems are told and no others. */
export function depends<T>(choose: (value: unknown) => Rule<T>): Rule<T> {
  return z.unknown().transform((given, context): T => {
    const result = choose(given).safeParse(given)
    if (result.success) return result.data
    for (const issue of result.error.issues)
      context.issues.push({ ...issue, input: given } as z.core.$ZodRawIssue)
    return z.NEVER
  })
}

/** A value as it is shown in a message: short, on one line. */
export function show(given: unknown): string {
  if (typeof given === 'string') return escaped(given.length > 60 ? `${given.slice(0, 57)}…` : given)
  if (typeof given === 'function') return 'a function'
  if (Array.isArray(given)) return given.length === 0 ? 'an empty list' : 'a list'
  if (given instanceof Promise) return 'a promise'
  if (typeof given === 'object' && given !== null) return 'an object'
  return String(given)
}

/** What JSON leaves as it is and a terminal obeys is shown as a code. */
function escaped(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
}

export function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}
