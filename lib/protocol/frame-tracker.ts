import { LONGEST_HEADER, headerSize, payloadLength } from './frame-header.ts'

/** RFC 6455 §5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) without touching them: headers are read,
 * payload is skipped by its length, never copied or unmasked. Any chunking will do, one byte at a time included.
 */
export class FrameTracker {
  /** Data messages that have ended; control frames are not messages. */
  messages = 0
  /** Frames that have begun, of any kind. */
  frames = 0
  bytes = 0
  /** A Close frame has begun: what follows it, if anything, means nothing (RFC 6455 §5.5.1). */
  closing = false
  /** Code of the first Close frame; 1005 when it had none (RFC 6455 §7.1.5). */
  closeCode: number | undefined
  /** A data message has begun and not ended. Control frames may stand between its frames (§5.4). */
  inMessage = false
  /** Offset in the last chunk where its last frame boundary lies; -1 when it has none. */
  lastBoundary = -1
  /** Offset in the last chunk where the first Close frame begins; -1 when it does not. */
  closeStart = -1

  #payloadLeft = 0
  /** With the frame under way its message ends. */
  #endsMessage = false
  /** A header that a chunk has ended in; most streams never need it. */
  #header: Uint8Array | undefined
  #headerLength = 0
  /** The first payload bytes of a Close frame under way, which hold its code. */
  #close: CloseCodeReader | undefined

  /** Whether the stream so far ends between two frames. */
  get atBoundary(): boolean {
    return this.#payloadLeft === 0 && this.#headerLength === 0
  }

  track(chunk: Uint8Array): void {
    this.begin(chunk)
    for (let offset = 0; offset < chunk.length;) offset = this.trackFrame(chunk, offset)
  }

  /** Begins a chunk that is to be followed frame by frame, see {@link trackFrame}. */
  begin(chunk: Uint8Array): void {
    this.bytes += chunk.length
    this.closeStart = -1
    this.lastBoundary = this.atBoundary ? 0 : -1
  }

  /** Follows the chunk from `offset` on. @returns where the frame at `offset` ends, or the chunk does */
  trackFrame(chunk: Uint8Array, offset: number): number {
    const { length } = chunk
    do {
      if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, length - offset)
        if (this.#close) this.#readClose(chunk.subarray(offset, offset + taken))
        this.#payloadLeft -= taken
        offset += taken
      } else {
        offset = this.#readHeader(chunk, offset)
      }
      if (this.#payloadLeft === 0 && this.#headerLength === 0) {
        this.lastBoundary = offset
        if (this.#endsMessage) this.#endMessage()
        return offset
      }
    } while (offset < length)
    return offset
  }

  /** @returns the offset behind what it has read */
  #readHeader(chunk: Uint8Array, start: number): number {
    const kept = this.#headerLength
    if (kept === 0 && !this.closing && (chunk[start]! & 0x0f) === OPCODE.close) {
      this.closing = true
      this.closeStart = start
    }
    const available = chunk.length - start
    // Mostly the whole header lies in the chunk and is read where it is.
    if (kept === 0 && available >= 2) {
      const size = headerSize(chunk[start + 1]!)
      if (available >= size) {
        this.#enter(chunk, start)
        return start + size
      }
    }
    const header = (this.#header ??= new Uint8Array(LONGEST_HEADER))
    let offset = start
    while (offset < chunk.length) {
      header[this.#headerLength++] = chunk[offset++]!
      if (this.#headerLength >= 2 && this.#headerLength === headerSize(header[1]!)) {
        this.#headerLength = 0
        this.#enter(header, 0)
        break
      }
    }
    return offset
  }

  /** @param header holds a complete header at `at` */
  #enter(header: Uint8Array, at: number): void {
    const first = header[at]!
    const second = header[at + 1]!
    this.#payloadLeft = payloadLength(header, at)
    this.frames++
    const opcode = first & 0x0f
    if (opcode < OPCODE.close) {
      this.inMessage = true
      this.#endsMessage = (first & 0x80) !== 0
    } else if (opcode === OPCODE.close && this.closeCode === undefined) {
      this.closeCode = 1005
      if (this.#payloadLeft >= 2) {
        const keyAt = at + headerSize(second) - 4
        this.#close = new CloseCodeReader((second & 0x80) === 0 ? undefined : header.slice(keyAt, keyAt + 2))
      }
    }
  }

  #endMessage(): void {
    this.#endsMessage = false
    this.inMessage = false
    this.messages++
  }

  #readClose(payload: Uint8Array): void {
    const code = this.#close!.read(payload)
    if (code === undefined) return
    this.closeCode = code
    this.#close = undefined
  }
}

/** The first two payload bytes of a Close frame, unmasked where they are masked. */
class CloseCodeReader {
  readonly #key: Uint8Array | undefined
  #first: number | undefined

  constructor(key: Uint8Array | undefined) {
    this.#key = key
  }

  read(payload: Uint8Array): number | undefined {
    let at = 0
    if (this.#first === undefined) this.#first = payload[at++]! ^ (this.#key?.[0] ?? 0)
    if (at >= payload.length) return undefined
    return this.#first * 256 + (payload[at]! ^ (this.#key?.[1] ?? 0))
  }
}
