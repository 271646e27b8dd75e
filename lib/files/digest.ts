import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'

/** Prefix of the files that `import-bundle.ts` makes for a moment: not part of any config. */
export const TEMPORARY_PREFIX = '.wslb-'

export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64')
}

/** Of an empty file: an editor that writes in place truncates first. */
export const EMPTY = digest('')
/** Of what is not there. */
export const ABSENT = ''
/** Of what cannot be read now, e.g. for lack of file descriptors: it says nothing about a change. */
export const UNKNOWN = 'unknown'
/** Of a FIFO, a socket, a device: reading could block the event loop. */
const NO_FILE = 'no file'

/** What a file says now, or which names a directory has. Never throws. */
export function digestOf(path: string): string {
  try {
    const stats = statSync(path)
    if (stats.isFile()) return digest(readFileSync(path))
    if (!stats.isDirectory()) return NO_FILE
    return digest(
      readdirSync(path)
        .filter((name) => !name.startsWith(TEMPORARY_PREFIX))
        .join('\0'),
    )
  } catch (error) {
    return NOWHERE.has(String((error as NodeJS.ErrnoException).code)) ? ABSENT : UNKNOWN
  }
}

/** ELOOP: a symbolic link that leads to itself. */
const NOWHERE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])
