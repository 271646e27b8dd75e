import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'

/** Prefix of the files that `import-bundle.ts` makes for a moment: not part of any config. */
export const TEMPORARY_PREFIX = '.wslb-'

export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64')
}

/** What a file says now, or which names a directory has; empty when it is not there. */
export function digestOf(path: string): string {
  try {
    if (!statSync(path).isDirectory()) return digest(readFileSync(path))
    return digest(
      readdirSync(path)
        .filter((name) => !name.startsWith(TEMPORARY_PREFIX))
        .join('\0'),
    )
  } catch {
    return ''
  }
}

/** Of an empty file: an editor that writes in place truncates first. */
export const EMPTY = digest('')
