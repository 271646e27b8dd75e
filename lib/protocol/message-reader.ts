import { isUtf8 } from 'node:buffer'
import { type ErrorCode, WslbError } from '../core/errors.ts'
import { Assembly } from './assembly.ts'
import { isCloseCode } from './close-code.ts'
import { LONGEST_HEADER, headerSize, payloadLength } from './frame-header.ts'
import { OPCODE } from './frame-tracker.ts'
import { LONGEST_PAYLOAD } from './frame-writer.ts'
import { applyMask } from './mask.ts'

/** A whole message, or a control frame. */
export interface Received {
  readonly opcode: number
  /** Unmasked. */
  readonly payload: Buffer
}

/**
 * Reads one direction of a WebSocket as an endpoint does (RFC 6455 §5): bytes in, messages out, fragments joined, masks
 * taken off, and whatever breaks the protocol refused. Any chunking will do. Nothing is read before it is asked for, so
 * a receiver that cannot take more just does not ask.
 */
export class MessageReader {
  /** As {@link FrameTracker} counts them. */
  bytes = 0
  frames = 0
  messages = 0
  /** Data frames of a client are masked, those of a server are not (§5.1). */
  readonly #masked: boolean
  readonly #sender: 'client' | 'backend'
  readonly #chunks: Buffer[] = []
  /** Where in the first chunk reading goes on. */
  #offset = 0
  #closed = false

  readonly #header = Buffer.alloc(LONGEST_HEADER)
  #headerLength = 0

  // The frame under way.
  #inFrame = false
  #opcode = 0
  #final = false
  #left = 0
  #taken = 0
  readonly #key = new Uint8Array(4)

  /** Opcode of the data message under way; 0 between messages. */
  #type = 0
  readonly #message = new Assembly()
  readonly #control = new Assembly()

  constructor(sender: 'client' | 'backend') {
    this.#sender = sender
    this.#masked = sender === 'client'
  }

  /** A data message has begun and not ended. */
  get inMessage(): boolean {
    return this.#type !== 0
  }

  /** There are bytes that have not been read. */
  get hasMore(): boolean {
    return this.#chunks.length > 0
  }

  /** Takes over the chunk: masks are taken off in place. */
  push(chunk: Buffer): void {
    this.bytes += chunk.length
    if (!this.#closed && chunk.length > 0) this.#chunks.push(chunk)
  }

  /**
   * The next message or control frame, `undefined` until it is whole. After a Close nothing comes (§5.5.1).
   * @param limit bytes that a message may have
   * @throws WslbError `WSLB_BAD_FRAME`, `WSLB_BAD_TEXT`, `WSLB_MESSAGE_TOO_BIG`; then there is nothing more to be read
   */
  read(limit: number): Received | undefined {
    while (this.#chunks.length > 0) {
      if (!this.#inFrame && !this.#begin(limit)) continue
      const whole = this.#takePayload()
      if (this.#left > 0) continue
      this.#inFrame = false
      const received = this.#opcode >= OPCODE.close ? this.#endControl(whole) : this.#endData(whole)
      if (received) return received
    }
    return undefined
  }

  /** Drops what has come and what will come. */
  close(): void {
    this.#closed = true
    this.#chunks.length = 0
    this.#message.clear()
  }

  /** Reads the header of a frame. @returns whether it is whole */
  #begin(limit: number): boolean {
    const chunk = this.#chunks[0]!
    let size = this.#headerLength < 2 ? 2 : headerSize(this.#header[1]!)
    while (this.#headerLength < size && this.#offset < chunk.length) {
      this.#header[this.#headerLength++] = chunk[this.#offset++]!
      if (this.#headerLength === 2) size = headerSize(this.#header[1]!)
    }
    if (this.#offset === chunk.length) this.#nextChunk()
    if (this.#headerLength < size) return false
    this.#headerLength = 0
    this.#enter(size, limit)
    return true
  }

  #enter(size: number, limit: number): void {
    const header = this.#header
    const [first, second] = [header[0]!, header[1]!]
    const masked = (second & 0x80) !== 0
    this.frames++
    this.#opcode = first & 0x0f
    this.#final = (first & 0x80) !== 0
    this.#left = payloadLength(header, 0)
    this.#taken = 0
    if ((first & 0x70) !== 0) throw this.#bad('a reserved bit is set')
    if (masked !== this.#masked)
      throw this.#bad(masked ? 'a frame of a server is masked' : 'a frame of a client is not masked')
    if (masked) header.copy(this.#key, 0, size - 4, size)
    this.#checkKind(limit)
    this.#inFrame = true
  }

  #checkKind(limit: number): void {
    const opcode = this.#opcode
    if (opcode === OPCODE.continuation) {
      if (this.#type === 0) throw this.#bad('a continuation of nothing')
    } else if (opcode === OPCODE.text || opcode === OPCODE.binary) {
      if (this.#type !== 0) throw this.#bad('a message begins within another')
      this.#type = opcode
    } else if (opcode < OPCODE.close || opcode > OPCODE.pong) {
      throw this.#bad(`opcode ${opcode} is not known`)
    } else {
      if (!this.#final) throw this.#bad('a control frame in fragments')
      if (this.#left > LONGEST_PAYLOAD) throw this.#bad('a control frame of more than 125 bytes')
      return
    }
    if (this.#message.length + this.#left > limit) {
      throw this.#bad(`a message of more than ${limit} bytes`, 'WSLB_MESSAGE_TOO_BIG')
    }
  }

  /** Takes what there is of the payload. @returns the payload, where it lies in one piece and is the whole message */
  #takePayload(): Buffer | undefined {
    const parts = this.#opcode >= OPCODE.close ? this.#control : this.#message
    while (this.#left > 0 && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!
      const part = chunk.subarray(this.#offset, this.#offset + this.#left)
      this.#offset += part.length
      if (this.#offset === chunk.length) this.#nextChunk()
      if (this.#masked) applyMask(part, this.#key, this.#taken)
      this.#taken += part.length
      this.#left -= part.length
      // Mostly it does lie in one piece, and is used where it is.
      if (this.#left === 0 && this.#final && parts.length === 0) return part
      parts.append(part)
    }
    return undefined
  }

  #endData(whole: Buffer | undefined): Received | undefined {
    if (!this.#final) return undefined
    const opcode = this.#type
    const payload = whole ?? this.#message.take()
    this.#type = 0
    this.messages++
    if (opcode === OPCODE.text && !isUtf8(payload))
      throw this.#bad('a text that is not UTF-8', 'WSLB_BAD_TEXT')
    return { opcode, payload }
  }

  #endControl(whole: Buffer | undefined): Received {
    const payload = whole ?? this.#control.take()
    if (this.#opcode === OPCODE.close) {
      this.#checkClose(payload)
      this.close()
    }
    return { opcode: this.#opcode, payload }
  }

  /** RFC 6455 §5.5.1, §7.4. */
  #checkClose(payload: Buffer): void {
    if (payload.length === 0) return
    if (payload.length === 1 || !isCloseCode(payload.readUInt16BE())) {
      throw this.#bad('a Close without a valid code')
    }
    if (!isUtf8(payload.subarray(2))) throw this.#bad('a close reason that is not UTF-8', 'WSLB_BAD_TEXT')
  }

  #nextChunk(): void {
    this.#chunks.shift()
    this.#offset = 0
  }

  #bad(message: string, code: ErrorCode = 'WSLB_BAD_FRAME'): WslbError {
    this.close()
    return new WslbError(code, message, { blame: this.#sender })
  }
}
