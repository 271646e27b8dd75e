import * as zlib from 'node:zlib'
import t from 'tap'
import { decompressor } from '../../lib/protocol/decompress.ts'

const body = Buffer.from('0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"]}')
const encode: Record<string, (body: Buffer) => Buffer> = {
  gzip: zlib.gzipSync,
  'x-gzip': zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: zlib.brotliCompressSync,
}

for (const [name, compress] of Object.entries(encode)) {
  t.test(`${name}: a whole body, and one that goes on`, async (t) => {
    const decompress = decompressor(name)!
    t.equal(decompress(compress(body), 1_000).toString(), body.toString())
    t.equal(decompressor(name.toUpperCase())!(compress(body), 1_000).toString(), body.toString())
    const cut = compress(Buffer.concat([body, body])).subarray(0, -8)
    t.ok(
      body.toString().startsWith(decompress(cut, 1_000).toString().slice(0, body.length)),
      'a body cut off',
    )
  })
}

t.test('what was flushed can be read though the body goes on', async (t) => {
  for (const [name, stream, flush] of [
    ['gzip', zlib.createGzip(), zlib.constants.Z_SYNC_FLUSH],
    ['deflate', zlib.createDeflate(), zlib.constants.Z_SYNC_FLUSH],
    ['br', zlib.createBrotliCompress(), zlib.constants.BROTLI_OPERATION_FLUSH],
  ] as const) {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.write(body)
    await new Promise<void>((resolve) => stream.flush(flush, resolve))
    t.equal(decompressor(name)!(Buffer.concat(chunks), 1_000).toString(), body.toString(), name)
    stream.destroy()
  }
})

t.test('deflate without the zlib wrapper', async (t) => {
  t.equal(decompressor('deflate')!(zlib.deflateRawSync(body), 1_000).toString(), body.toString())
})

t.test('several codings are undone from the last to the first', async (t) => {
  const coded = zlib.brotliCompressSync(zlib.gzipSync(body))
  t.equal(decompressor('gzip, br')!(coded, 1_000).toString(), body.toString())
  t.equal(decompressor(['gzip', 'br'])!(coded, 1_000).toString(), body.toString())
  t.throws(() => decompressor('br, gzip')!(coded, 1_000))
  t.equal(decompressor('gzip, gzip, gzip, gzip'), undefined, 'that many make no sense')
})

t.test('no coding', async (t) => {
  for (const none of [undefined, '', 'identity', ' , '])
    t.equal(decompressor(none)!(body, 1_000).toString(), body.toString(), String(none))
})

t.test('codings that are not known', async (t) => {
  for (const unknown of ['compress', 'aes128gcm', 'gzip, what', 'toString', '__proto__'])
    t.equal(decompressor(unknown), undefined, unknown)
})

t.test('zstd where Node has it', async (t) => {
  const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (body: Buffer) => Buffer }
  const decompress = decompressor('zstd')
  t.equal(decompress === undefined, zstdCompressSync === undefined)
  if (zstdCompressSync) t.equal(decompress!(zstdCompressSync(body), 1_000).toString(), body.toString())
})

t.test('a bomb does not go off', async (t) => {
  const zeros = Buffer.alloc(50_000_000)
  for (const [name, compress] of Object.entries(encode)) {
    const bomb = compress(zeros)
    const before = process.memoryUsage().arrayBuffers
    t.ok(decompressor(name)!(bomb, 16_384).length <= 16_384, name)
    t.ok(process.memoryUsage().arrayBuffers - before < 5_000_000, 'no room was made for it')
  }
})

t.test('of a body that is longer, its beginning', async (t) => {
  const words = Array.from({ length: 40_000 }, (_, i) => `${(i * 2_654_435_761) % 1_000_003}`).join(' ')
  for (const [name, compress] of Object.entries(encode)) {
    const first = decompressor(name)!(compress(Buffer.from(words)), 16_384).toString()
    t.equal(first, words.slice(0, 16_384), name)
  }
})

t.test('what is not what it says', async (t) => {
  for (const name of Object.keys(encode))
    t.throws(() => decompressor(name)!(Buffer.from('not coded'), 1_000), name)
})
