import { quietly } from '../core/quietly.ts'
import { type Decompress, decompressor } from '../protocol/decompress.ts'
import { type AnswerHeaders, type AnswerObserver } from '../sticky/answer-observer.ts'

/** Times the body is read while it comes in; a body in more pieces than that is read once more at its end. */
const MOST_READS = 32

/** Shows an answer to those who asked to see it. Never throws: whatever they do, the answer goes its way. */
export class AnswerTap {
  readonly #readers: readonly AnswerObserver[]
  #open: Reading[] = []

  constructor(readers: readonly AnswerObserver[]) {
    this.#readers = readers
  }

  onHead(status: number, headers: AnswerHeaders): void {
    const wanting = this.#readers.filter((reader) => quietly(() => reader.onHead(status, headers)) === true)
    if (wanting.length === 0) return
    const decompress = decompressor(headers['content-encoding'])
    const length = Number(headers['content-length'] ?? NaN)
    if (decompress) this.#open = wanting.map((reader) => new Reading(reader, decompress, length))
  }

  /** To be called before the client gets these bytes: with them it may know enough to send its next request. */
  onData(chunk: Uint8Array): void {
    if (this.#open.length > 0) this.#open = this.#open.filter((reading) => reading.take(chunk))
  }

  onEnd(): void {
    for (const reading of this.#open) reading.finish()
    this.#open = []
  }
}

/** Nearly no request has one. */
export function tapFor(readers: readonly AnswerObserver[] | undefined): AnswerTap | undefined {
  return readers && new AnswerTap(readers)
}

/** What one of them has seen of a body. */
class Reading {
  readonly #reader: AnswerObserver
  readonly #decompress: Decompress
  /** Of the whole body, where it is known. */
  readonly #length: number
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #reads = 0

  constructor(reader: AnswerObserver, decompress: Decompress, length: number) {
    this.#reader = reader
    this.#decompress = decompress
    this.#length = length
  }

  /** @returns whether more is wanted */
  take(chunk: Uint8Array): boolean {
    // A copy: a chunk is part of a buffer that may be a thousand times as big.
    const part = Buffer.from(chunk.subarray(0, this.#reader.maxBody - this.#bytes))
    this.#chunks.push(part)
    this.#bytes += part.length
    const isLast = this.#bytes >= this.#reader.maxBody || this.#bytes === this.#length
    if (!isLast && this.#reads >= MOST_READS) return true
    this.#reads++
    return !this.#read() && !isLast
  }

  finish(): void {
    this.#read()
  }

  /** Half a body need not make sense: a failure is to know nothing yet. */
  #read(): boolean {
    const { maxBody } = this.#reader
    const ask = () => this.#reader.onBody(this.#decompress(Buffer.concat(this.#chunks), maxBody).toString())
    return quietly(ask) === true
  }
}
