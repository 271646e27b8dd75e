/**
 * Whether two settings say the same, as far as that can be seen: each load of a config makes new functions that may do
 * what the old ones did, so of functions only whether they are there is compared.
 */
export function alike(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b)
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'function') return 'a function'
    return part instanceof RegExp ? String(part) : part
  })
}
