import t from 'tap'
import { digestOf, murmur3 } from '../../lib/core/digest.ts'

/** As its author wrote it down, byte by byte. */
function reference(bytes: Buffer, seed: number): number {
  const rotl = (x: bigint, r: bigint) => ((x << r) | (x >> (32n - r))) & 0xffffffffn
  const mul = (x: bigint, y: bigint) => (x * y) & 0xffffffffn
  const scramble = (k: bigint) => mul(rotl(mul(k, 0xcc9e2d51n), 15n), 0x1b873593n)
  let h = BigInt(seed)
  const blocks = Math.floor(bytes.length / 4)
  for (let i = 0; i < blocks; i++) {
    h = (mul(rotl(h ^ scramble(BigInt(bytes.readUInt32LE(i * 4))), 13n), 5n) + 0xe6546b64n) & 0xffffffffn
  }
  let tail = 0n
  for (let i = bytes.length - 1; i >= blocks * 4; i--) tail = (tail << 8n) | BigInt(bytes[i]!)
  h ^= scramble(tail) ^ BigInt(bytes.length)
  h = mul(h ^ (h >> 16n), 0x85ebca6bn)
  h = mul(h ^ (h >> 13n), 0xc2b2ae35n)
  return Number(h ^ (h >> 16n))
}

t.test('the reference gives what others publish for MurmurHash3_x86_32', async (t) => {
  t.equal(reference(Buffer.from(''), 0), 0)
  t.equal(reference(Buffer.from(''), 1), 0x514e28b7)
  t.equal(reference(Buffer.from('test'), 0), 0xba6bd213)
  t.equal(reference(Buffer.from('Hello, world!'), 0x9747b28c), 0x24884cba)
})

t.test('the hash of a text is that of its UTF-16LE', async (t) => {
  const texts = [
    '',
    'a',
    'ab',
    'abc',
    '192.0.2.1/32',
    'Zürich',
    '日本',
    '😀',
    '\uD800',
    '\0\0',
    'x'.repeat(99),
  ]
  for (const text of texts) {
    for (const seed of [0, 1, 0x9747b28c, 0xffffffff])
      t.equal(murmur3(text, seed) >>> 0, reference(Buffer.from(text, 'utf16le'), seed), `${text} ${seed}`)
  }
})

t.test('no two versions may give different digests', async (t) => {
  t.same(digestOf(''), { high: -340344280, low: 1020716019 })
  t.same(digestOf('10.0.0.1:3000'), { high: 1222802692, low: 1578104651 })
})
