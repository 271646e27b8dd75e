const FEW = 32
const keyBytes = new Uint8Array(4)
const keyWord = new Int32Array(keyBytes.buffer)

/**
 * Masks bytes in place, or unmasks them, which is the same (RFC 6455 §5.3).
 * @param phase how many bytes of the payload went before these
 */
export function applyMask(bytes: Uint8Array, key: Uint8Array, phase = 0): void {
  const { buffer, byteOffset, length } = bytes
  let at = 0
  if (length >= FEW) {
    // Four bytes at a time, from where memory is aligned for it.
    for (const aligned = -byteOffset & 3; at < aligned; at++) bytes[at]! ^= key[(phase + at) & 3]!
    for (let i = 0; i < 4; i++) keyBytes[i] = key[(phase + at + i) & 3]!
    const word = keyWord[0]!
    const words = new Int32Array(buffer, byteOffset + at, (length - at) >> 2)
    for (let i = 0; i < words.length; i++) words[i]! ^= word
    at += words.length * 4
  }
  for (; at < length; at++) bytes[at]! ^= key[(phase + at) & 3]!
}
