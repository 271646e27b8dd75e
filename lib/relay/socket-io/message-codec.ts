import { Decoder, Encoder, PacketType } from 'socket.io-parser'
import { type Payload } from '../session/envelope.ts'

const LENGTH_BYTES = 4

/**
 * As Socket.IO itself encodes an event: what reaches the clients of another server is what reaches those of this one. Text,
 * where nothing in it is binary. The first field is a number or an object.
 * @throws TypeError for what JSON cannot hold, as `emit()` does on a single server
 */
export function encodeFields(fields: readonly unknown[]): string | Buffer {
  const packet = { type: PacketType.ACK, nsp: '/', data: fields }
  const [text, ...attachments] = new Encoder().encode(packet) as [string, ...unknown[]]
  if (attachments.length === 0) return text
  const parts = [Buffer.from(text), ...attachments.map(bytesOf)]
  return Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]))
}

/** @throws Error for what `encodeFields` has not made */
export function decodeFields(payload: Payload): unknown[] {
  const decoder = new Decoder({ maxAttachments: Infinity })
  let fields: unknown[] | undefined
  decoder.on('decoded', ({ data }) => (fields = data as unknown[]))
  for (const part of partsOf(payload)) decoder.add(part)
  if (!fields) throw new Error('a part of it is missing')
  return fields
}

function partsOf(payload: Payload): (string | Buffer)[] {
  if (typeof payload === 'string') return [payload]
  if (!Buffer.isBuffer(payload)) throw new Error('neither text nor bytes')
  const parts: (string | Buffer)[] = []
  for (let start = 0; start < payload.length;) {
    const end = start + LENGTH_BYTES + payload.readUInt32BE(start)
    const part = payload.subarray(start + LENGTH_BYTES, end)
    parts.push(parts.length === 0 ? part.toString() : part)
    start = end
  }
  return parts
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.allocUnsafe(LENGTH_BYTES)
  length.writeUInt32BE(part.length)
  return length
}

function bytesOf(attachment: unknown): Buffer {
  if (ArrayBuffer.isView(attachment)) {
    return Buffer.from(attachment.buffer, attachment.byteOffset, attachment.byteLength)
  }
  if (attachment instanceof ArrayBuffer) return Buffer.from(attachment)
  throw new TypeError('a Blob cannot be sent to other servers: send its arrayBuffer()')
}
