import { distance } from 'fastest-levenshtein'

/** `, did you mean "…"?` when one of the names is close enough to be a slip of the fingers; else nothing. */
export function closestTo(given: unknown, names: readonly string[]): string {
  if (typeof given !== 'string') return ''
  const ranked = names
    .map((name) => ({ name, steps: distance(given.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
  const best = ranked[0]
  return best && best.steps <= Math.ceil(best.name.length / 3) ? `, did you mean "${best.name}"?` : ''
}

/** What to say of a key that nobody knows. */
export function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key${closestTo(key, known) || `; known are ${known.join(', ')}`}`
}
