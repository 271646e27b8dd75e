import * as zlib from 'node:zlib'

const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = zlib.constants

/** Each of them gives what there is of a body that has not ended. */
const CODINGS: Readonly<Record<string, Decompress>> = {
  gzip: (coded, maxOutputLength) => zlib.gunzipSync(coded, { finishFlush: Z_SYNC_FLUSH, maxOutputLength }),
  deflate: inflate,
  br: (coded, maxOutputLength) =>
    zlib.brotliDecompressSync(coded, { finishFlush: BROTLI_OPERATION_FLUSH, maxOutputLength }),
  ...zstd(),
}
const MOST_CODINGS = 3
/** How much more than was asked for may be made at once: what was halved must not fall below what was asked for. */
const ROOM = 4

/** Undoes the codings of a body: its first `most` bytes, fewer of one that is nearly all repetition. @throws when it is not what they say */
export type Decompress = (coded: Buffer, most: number) => Buffer

/**
 * What undoes a `Content-Encoding` (RFC 9110 §8.4), for a body of which more may come.
 * @returns `undefined` for a coding that is not known here
 */
export function decompressor(
  contentEncoding: string | readonly string[] | undefined,
): Decompress | undefined {
  const names = String(contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim().replace(/^x-/, ''))
    .filter((name) => name !== '' && name !== 'identity')
  // They are listed in the order in which they were applied.
  const steps = names.reverse().map((name) => (Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined))
  if (steps.length > MOST_CODINGS || steps.includes(undefined)) return undefined
  return (coded, most) => (steps as Decompress[]).reduce((body, decode) => firstOf(body, most, decode), coded)
}

/** zlib gives all or nothing of what is too long; half of the input gives its beginning. */
function firstOf(coded: Buffer, most: number, decode: Decompress): Buffer {
  for (let input = coded; ; input = input.subarray(0, input.length >> 1)) {
    try {
      return decode(input, most * ROOM).subarray(0, most)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE' || input.length < 2) throw error
    }
  }
}

/** RFC 9110 §8.4.1.2 notes that some leave out the zlib wrapper. */
function inflate(coded: Buffer, maxOutputLength: number): Buffer {
  const options = { finishFlush: Z_SYNC_FLUSH, maxOutputLength }
  const isWrapped = (coded[0]! & 0x0f) === 8 && (coded.length < 2 || (coded[0]! * 256 + coded[1]!) % 31 === 0)
  return isWrapped ? zlib.inflateSync(coded, options) : zlib.inflateRawSync(coded, options)
}

/** Not every Node that we run on has it. */
function zstd(): Record<string, Decompress> {
  const { zstdDecompressSync, constants } = zlib as unknown as {
    zstdDecompressSync?: (coded: Buffer, options: object) => Buffer
    constants: Record<string, number>
  }
  if (!zstdDecompressSync) return {}
  const finishFlush = constants.ZSTD_e_flush
  return { zstd: (coded, maxOutputLength) => zstdDecompressSync(coded, { finishFlush, maxOutputLength }) }
}
