import { randomFillSync } from 'node:crypto'

/** Asking the system for four random bytes at a time costs more than masking a short message with them. */
const pool = Buffer.alloc(8 * 1024)
let used = pool.length

/** Writes bytes that nobody can foretell. @param length not more than the pool has */
export function writeRandom(target: Uint8Array, at: number, length: number): void {
  if (used + length > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  pool.copy(target, at, used, (used += length))
}
