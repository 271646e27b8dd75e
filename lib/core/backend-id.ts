/** In characters. Ids stand in logs, in cookies and in the terminal of whoever looks. */
const LONGEST = 255

/** Control, format (they turn the direction of text) and half characters, line and paragraph separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

export const BACKEND_ID = `a string of 1 to ${LONGEST} printable characters`

/** Whether a backend may be called so. */
export function isBackendId(given: unknown): given is string {
  return (
    typeof given === 'string' && given.length <= LONGEST && given.trim() !== '' && !UNPRINTABLE.test(given)
  )
}
