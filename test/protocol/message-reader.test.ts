import t from 'tap'
import * as ws from 'ws'
import { dataFrame } from '../../lib/protocol/frame-writer.ts'
import { MessageReader } from '../../lib/protocol/message-reader.ts'
import { type WslbError } from '../../lib/core/errors.ts'
import { seededRandom } from '../support/random.ts'

/** Exported by ws, but not in its types. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: object) => NodeJS.WritableStream
  Sender: { frame(payload: Buffer, options: object): Buffer[] }
}

interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly mask?: boolean
}

function frame(payload: string | Buffer, { opcode = 1, fin = true, mask = true }: FrameOptions = {}): Buffer {
  const options = { opcode, fin, mask, readOnly: true, rsv1: false }
  return Buffer.concat(Sender.frame(Buffer.from(payload), options))
}

const NO_LIMIT = 2 ** 30

interface ReadOptions {
  readonly sender?: 'client' | 'backend'
  readonly limit?: number
  /** Of the next chunk. */
  readonly size?: () => number
}

/** What is read from the bytes, each as `opcode:payload`; the code of the error that ended it is the last. */
function read(
  bytes: Buffer,
  { sender = 'client', limit = NO_LIMIT, size = () => NO_LIMIT }: ReadOptions = {},
): string[] {
  const reader = new MessageReader(sender)
  const found: string[] = []
  try {
    for (let at = 0; at < bytes.length;) {
      const end = at + size()
      reader.push(Buffer.from(bytes.subarray(at, end)))
      at = end
      for (let next; (next = reader.read(limit));)
        found.push(`${next.opcode}:${next.payload.toString('latin1')}`)
    }
  } catch (error) {
    const { code, closeCode, blame } = error as WslbError
    found.push(`${code} ${closeCode} ${blame}`)
  }
  return found
}

t.test('messages in any chunking, fragments and frames of any size: what ws says, we read', async (t) => {
  const random = seededRandom(29)
  const int = (below: number) => Math.floor(random() * below)
  for (const sender of ['client', 'backend'] as const) {
    const mask = sender === 'client'
    for (let run = 0; run < 150; run++) {
      const bytes: Buffer[] = []
      const expected: string[] = []
      for (let i = 0; i < 8; i++) {
        const opcode = 1 + int(2)
        const parts = Array.from({ length: 1 + int(4) }, () =>
          Buffer.alloc(int(2) ? int(130) : int(70_000), 97 + int(26)),
        )
        parts.forEach((part, at) => {
          bytes.push(frame(part, { opcode: at === 0 ? opcode : 0, fin: at === parts.length - 1, mask }))
          if (int(3) > 0) return
          const control = 9 + int(2)
          bytes.push(frame(`control ${i}`, { opcode: control, mask }))
          // Control frames between the fragments come before the message.
          expected.push(`${control}:control ${i}`)
          if (at === parts.length - 1) expected.splice(-1, 0, `${opcode}:${Buffer.concat(parts).toString()}`)
        })
        const last = `${opcode}:${Buffer.concat(parts).toString()}`
        if (!expected.slice(-2).includes(last)) expected.push(last)
      }
      const size = () => 1 + Math.floor(random() ** 6 * 30_000)
      // Compared as a whole: a difference of megabytes cannot be shown.
      t.ok(read(Buffer.concat(bytes), { sender, size }).join() === expected.join(), `run ${run}`)
    }
  }
})

t.test('one byte at a time makes no difference, and the counts are right', async (t) => {
  const stream = Buffer.concat([
    frame('héllo'),
    frame('', { opcode: 2 }),
    frame('a'.repeat(300), { fin: false }),
    frame('', { opcode: 9 }),
    frame('b'.repeat(70_000), { opcode: 0 }),
    frame(Buffer.from([0x03, 0xe8, 0x62]), { opcode: 8 }),
    frame('after the Close'),
  ])
  const expected = read(stream)
  t.equal(expected.length, 5)
  t.equal(expected[4], '8:\x03\xe8b', 'nothing behind the Close')
  t.ok(read(stream, { size: () => 1 }).join() === expected.join())
  const reader = new MessageReader('client')
  reader.push(Buffer.from(stream))
  while (reader.read(NO_LIMIT));
  t.same([reader.bytes, reader.frames, reader.messages], [stream.length, 6, 3])
})

t.test('a whole message in one chunk is not copied', async (t) => {
  const reader = new MessageReader('backend')
  const chunk = frame('x'.repeat(5_000), { mask: false })
  reader.push(chunk)
  t.ok(reader.read(NO_LIMIT)!.payload.buffer === chunk.buffer)
})

t.test('what breaks the protocol is refused with its code', async (t) => {
  const flip = (bytes: Buffer, at: number, bits: number) => {
    bytes[at]! ^= bits
    return bytes
  }
  const closing = (bytes: number[]) => frame(Buffer.from(bytes), { opcode: 8 })
  const unfinished = frame('a', { fin: false })
  const broken: Record<string, Buffer> = {
    'a reserved bit': flip(frame('a'), 0, 0x40),
    'an unmasked frame': frame('a', { mask: false }),
    'an unknown data opcode': frame('a', { opcode: 3 }),
    'an unknown control opcode': frame('a', { opcode: 11 }),
    'a continuation of nothing': frame('a', { opcode: 0 }),
    'a message within another': Buffer.concat([unfinished, frame('b')]),
    'a control frame in fragments': frame('a', { opcode: 9, fin: false }),
    'a long control frame': frame('a'.repeat(126), { opcode: 9 }),
    'a Close of one byte': closing([3]),
    'a Close with 1005': closing([0x03, 0xed]),
    'a Close with 2000': closing([0x07, 0xd0]),
  }
  for (const [name, bytes] of Object.entries(broken)) {
    t.equal(read(bytes).at(-1), 'WSLB_BAD_FRAME 1002 client', name)
    t.strictSame(read(bytes, { size: () => 1 }), read(bytes), name)
  }
  t.equal(read(frame('a'), { sender: 'backend' }).at(-1), 'WSLB_BAD_FRAME 1002 backend', 'a masked one')
  const half = [frame(Buffer.from([0xc3]), { fin: false }), frame(Buffer.from([0xa9]), { opcode: 0 })]
  t.same(read(Buffer.concat(half)), ['1:Ã©'], 'a character may be torn apart')
  t.equal(read(frame(Buffer.from([0xc3, 0x28]))).at(-1), 'WSLB_BAD_TEXT 1007 client')
  t.equal(read(closing([0x03, 0xe8, 0xff])).at(-1), 'WSLB_BAD_TEXT 1007 client')
})

t.test('too long is known from the header, in one frame and in many', async (t) => {
  const limited = (bytes: Buffer) => read(bytes, { limit: 1_000 })
  t.equal(limited(frame('a'.repeat(1_000))).length, 1)
  t.same(limited(frame('a'.repeat(1_001)).subarray(0, 8)), ['WSLB_MESSAGE_TOO_BIG 1009 client'])
  const endless = Buffer.from([0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
  t.same(limited(endless), ['WSLB_MESSAGE_TOO_BIG 1009 client'])
  const parts = [frame('a'.repeat(600), { fin: false }), frame('b'.repeat(401), { opcode: 0, fin: false })]
  t.same(limited(Buffer.concat(parts)), ['WSLB_MESSAGE_TOO_BIG 1009 client'])
})

t.test('a data frame of ours is what ws reads, masked or not, of every kind of length', async (t) => {
  for (const masked of [true, false]) {
    for (const length of [0, 1, 31, 125, 126, 1_001, 65_535, 65_536, 200_003]) {
      const payload = Buffer.alloc(length, 'payload')
      const bytes = dataFrame(2, payload, masked)
      t.ok(length < 4 || bytes.includes(payload) !== masked, 'masked where it should be')
      const receiver = new Receiver({ isServer: masked, allowSynchronousEvents: true, maxPayload: 0 })
      const messages: Buffer[] = []
      receiver.on('message', (data: Buffer) => messages.push(data))
      receiver.write(Buffer.from(bytes)) // it takes the mask off in place
      t.ok(messages[0]?.equals(payload))
      const [again] = read(bytes, { sender: masked ? 'client' : 'backend', size: () => 997 })
      t.ok(again === `2:${payload.toString()}`)
    }
  }
})
