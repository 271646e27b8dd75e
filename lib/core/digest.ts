const FIRST = 0x9747b28c
const SECOND = 0x3c6ef372

/** 64 bits of a text in two 32-bit integers: the same in every process and version, and of no use against forgery. */
export interface Digest {
  readonly high: number
  readonly low: number
}

/** MurmurHash3 twice, with two seeds. */
export function digestOf(text: string): Digest {
  return { high: murmur3(text, FIRST), low: murmur3(text, SECOND) }
}

/** MurmurHash3_x86_32 of the text in UTF-16LE; signed. */
export function murmur3(text: string, seed: number): number {
  const { length } = text
  let hash = seed | 0
  let at = 0
  for (; at + 1 < length; at += 2) {
    hash ^= scrambled(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16))
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
  }
  if (at < length) hash ^= scrambled(text.charCodeAt(at))
  return finished(hash ^ (length * 2))
}

function scrambled(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51)
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593)
}

function finished(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
