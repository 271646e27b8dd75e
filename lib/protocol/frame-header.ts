/** The longest header: two bytes, a 64-bit length, a masking key (RFC 6455 §5.2). */
export const LONGEST_HEADER = 14

/** Bytes of the header whose second byte this is. */
export function headerSize(second: number): number {
  const length = second & 0x7f
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + ((second & 0x80) === 0 ? 0 : 4)
}

/** @param header holds a complete header at `at` */
export function payloadLength(header: Uint8Array, at: number): number {
  const length = header[at + 1]! & 0x7f
  if (length < 126) return length
  let value = 0
  for (let i = at + 2; i < at + (length === 126 ? 4 : 10); i++) value = value * 256 + header[i]!
  return value
}
