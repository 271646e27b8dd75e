import { lstat, mkdir } from 'node:fs/promises'
import { messageOf, WslbError } from '../core/errors.ts'

/**
 * Makes a directory that nobody but us can open, or takes the one that is there. Its parent must be there.
 * @throws WslbError `WSLB_CONTROL` when it cannot be made, is not ours or is open to others
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(messageOf(error), error)
  }
  await findPrivateDirectory(path)
}

/**
 * In a shared place such as /tmp anybody may have made the directory, with a socket of theirs in it.
 * @returns whether it is there
 * @throws WslbError `WSLB_CONTROL` when it is not ours or is open to others
 */
export async function findPrivateDirectory(path: string): Promise<boolean> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw unusable(error.message, error)
  })
  if (!stats) return false
  if (!stats.isDirectory()) throw unusable(`${path} is not a directory`)
  const us = process.getuid!()
  if (stats.uid !== us) throw unusable(`${path} belongs to user ${stats.uid}, and we are user ${us}`)
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0)
    throw unusable(`${path} is open to others (mode ${mode.toString(8)}); chmod 700 ${path}`)
  return true
}

function unusable(message: string, cause?: unknown): WslbError {
  return new WslbError('WSLB_CONTROL', message, cause === undefined ? {} : { cause })
}
