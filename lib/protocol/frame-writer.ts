import { OPCODE } from './frame-tracker.ts'
import { applyMask } from './mask.ts'
import { writeRandom } from './random-bytes.ts'

/** A control frame has at most 125 bytes of payload (RFC 6455 §5.5). */
export const LONGEST_PAYLOAD = 125

/** Two bytes, a masking key, the payload. */
export const LONGEST_CONTROL_FRAME = 6 + LONGEST_PAYLOAD

/**
 * A Close frame (RFC 6455 §5.5.1).
 * @param masked whether it goes to a server (§5.3)
 */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  const text = Buffer.from(reason)
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  return controlFrame(OPCODE.close, payload, masked)
}

/** @throws RangeError when the payload is longer than a control frame allows */
export function controlFrame(opcode: number, payload: Uint8Array, masked: boolean): Buffer {
  const { length } = payload
  if (length > LONGEST_PAYLOAD) throw new RangeError(`a control frame holds at most 125 bytes, not ${length}`)
  return dataFrame(opcode, payload, masked)
}

/** A whole message in one frame (RFC 6455 §5.2). The payload is copied. */
export function dataFrame(opcode: number, payload: Uint8Array, masked: boolean): Buffer {
  const { length } = payload
  const lengthSize = length <= LONGEST_PAYLOAD ? 0 : length <= 0xffff ? 2 : 8
  const start = 2 + lengthSize + (masked ? 4 : 0)
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = 0x80 | opcode
  frame[1] = (masked ? 0x80 : 0) | (lengthSize === 0 ? length : lengthSize === 2 ? 126 : 127)
  if (lengthSize === 2) frame.writeUInt16BE(length, 2)
  if (lengthSize === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.set(payload, start)
  if (masked) {
    // A masking key that nobody can foretell (§5.3).
    writeRandom(frame, start - 4, 4)
    applyMask(frame.subarray(start), frame.subarray(start - 4, start))
  }
  return frame
}

/** Payload of a complete control frame, unmasked where it is masked. */
export function controlPayload(frame: Buffer): Buffer {
  const masked = (frame[1]! & 0x80) !== 0
  const payload = Buffer.from(frame.subarray(masked ? 6 : 2))
  if (masked) applyMask(payload, frame.subarray(2, 6))
  return payload
}
