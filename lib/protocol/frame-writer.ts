import { randomFillSync } from 'node:crypto'
import { OPCODE } from './frame-tracker.ts'

/** A control frame has at most 125 bytes of payload (RFC 6455 §5.5). */
const LONGEST_PAYLOAD = 125

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
  const start = masked ? 6 : 2
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = 0x80 | opcode
  frame[1] = (masked ? 0x80 : 0) | length
  frame.set(payload, start)
  if (masked) {
    randomFillSync(frame, 2, 4)
    for (let i = 0; i < length; i++) frame[start + i]! ^= frame[2 + (i & 3)]!
  }
  return frame
}

/** Payload of a complete control frame, unmasked where it is masked. */
export function controlPayload(frame: Buffer): Buffer {
  const masked = (frame[1]! & 0x80) !== 0
  const payload = Buffer.from(frame.subarray(masked ? 6 : 2))
  if (masked) for (let i = 0; i < payload.length; i++) payload[i]! ^= frame[2 + (i & 3)]!
  return payload
}
