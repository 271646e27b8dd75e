/**
 * Asks code of the user's own where nothing may come of its failing.
 * @returns what it gives; `undefined` when it throws. A promise is no answer, nor does its rejection end the process.
 */
export function quietly(ask: () => unknown): unknown {
  try {
    const answer = ask()
    if (!(answer instanceof Promise)) return answer
    answer.catch(() => {})
  } catch {
    // As if it knew nothing.
  }
  return undefined
}
