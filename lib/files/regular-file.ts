import { readFileSync, type Stats, statSync } from 'node:fs'

/**
 * The content of a regular file. Reading a FIFO would block the event loop, reading a device may never end.
 * @throws Error when it cannot be read, or is something else
 */
export function readRegularFile(path: string): Buffer {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`${path} is ${kindOf(stats)}, not a regular file`)
  return readFileSync(path)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory'
  if (stats.isFIFO()) return 'a FIFO'
  return stats.isSocket() ? 'a socket' : 'a device'
}
