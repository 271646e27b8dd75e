import t, { type Test } from 'tap'
import { FrameTracker } from '../../lib/protocol/frame-tracker.ts'
import { closeFrame, controlFrame } from '../../lib/protocol/frame-writer.ts'
import { seededRandom } from '../support/random.ts'

/** A frame made by the book (RFC 6455 §5.2), independent of the code under test. */
function frame(
  opcode: number,
  payload: Buffer,
  { fin = true, mask }: { fin?: boolean; mask?: Buffer } = {},
): Buffer {
  const { length } = payload
  const size =
    length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, ...bigEndian(length)]
  size[0]! |= mask ? 0x80 : 0
  const body = mask ? Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]!)) : payload
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, ...size]), mask ?? Buffer.alloc(0), body])
}

function bigEndian(length: number): number[] {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return [...bytes]
}

const mask = Buffer.from([1, 2, 3, 4])

/** Text, a fragmented message with a Ping inside it, a long frame, a Close: everything that has a header of its own. */
const stream = Buffer.concat([
  frame(1, Buffer.from('hello'), { mask }),
  frame(2, Buffer.alloc(300), { fin: false, mask }),
  frame(9, Buffer.from('ping'), { mask }),
  frame(0, Buffer.alloc(70_000), { mask }),
  frame(1, Buffer.alloc(0), { mask }),
  frame(8, Buffer.from([0x03, 0xf4, ...Buffer.from('bye')]), { mask }),
])

function expectWholeStream(t: Test, tracker: FrameTracker): void {
  t.equal(tracker.frames, 6)
  t.equal(tracker.messages, 3)
  t.equal(tracker.bytes, stream.length)
  t.equal(tracker.closeCode, 1012)
  t.equal(tracker.atBoundary, true)
  t.equal(tracker.inMessage, false)
}

t.test('counts frames and messages and sees the close code, in one chunk', async (t) => {
  const tracker = new FrameTracker()
  tracker.track(stream)
  expectWholeStream(t, tracker)
  t.equal(tracker.lastBoundary, stream.length)
  t.equal(tracker.closeStart, stream.length - (2 + 4 + 5))
})

t.test('one byte at a time makes no difference', async (t) => {
  const tracker = new FrameTracker()
  for (let i = 0; i < stream.length; i++) tracker.track(stream.subarray(i, i + 1))
  expectWholeStream(t, tracker)
})

t.test('nor does any other chunking', async (t) => {
  const random = seededRandom(7)
  for (let run = 0; run < 200; run++) {
    const tracker = new FrameTracker()
    for (let i = 0; i < stream.length;) {
      const length = 1 + Math.floor(random() ** 8 * 40_000)
      tracker.track(stream.subarray(i, i + length))
      i += length
    }
    expectWholeStream(t, tracker)
  }
})

t.test('a boundary is where a frame of ours may stand, and nowhere else', async (t) => {
  const frames = [
    frame(1, Buffer.from('abc')),
    frame(2, Buffer.alloc(200), { mask }),
    frame(10, Buffer.alloc(0)),
  ]
  const ends = new Set(frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length).concat(0))
  const bytes = Buffer.concat(frames)
  for (let cut = 0; cut <= bytes.length; cut++) {
    const tracker = new FrameTracker()
    if (cut > 0) tracker.track(bytes.subarray(0, cut))
    t.equal(tracker.atBoundary, ends.has(cut), `after ${cut} bytes`)
    if (cut > 0)
      t.equal(tracker.lastBoundary, Math.max(...[...ends].filter((end) => end <= cut)), 'last boundary')
  }
})

t.test('a chunk without a boundary says so', async (t) => {
  const bytes = frame(2, Buffer.alloc(1_000))
  const tracker = new FrameTracker()
  tracker.track(bytes.subarray(0, 10))
  tracker.track(bytes.subarray(10, 500))
  t.equal(tracker.lastBoundary, -1)
})

t.test('a message is open between its fragments', async (t) => {
  const tracker = new FrameTracker()
  tracker.track(frame(1, Buffer.from('a'), { fin: false }))
  t.equal(tracker.inMessage, true)
  tracker.track(frame(9, Buffer.alloc(0)))
  t.equal(tracker.inMessage, true, 'a control frame does not end it')
  t.equal(tracker.messages, 0)
  tracker.track(frame(0, Buffer.from('b')))
  t.equal(tracker.inMessage, false)
  t.equal(tracker.messages, 1)
})

t.test('a message counts when the last of it is through, not when it is announced', async (t) => {
  const tracker = new FrameTracker()
  const states: (number | boolean)[][] = []
  const bytes = Buffer.concat([
    frame(1, Buffer.from('ab')),
    frame(9, Buffer.from('p')),
    frame(2, Buffer.alloc(0)),
  ])
  for (const byte of bytes) {
    tracker.track(Buffer.from([byte]))
    states.push([tracker.messages, tracker.inMessage])
  }
  const [none, under, one, two] = [
    [0, false],
    [0, true],
    [1, false],
    [2, false],
  ]
  t.strictSame(states, [none, under, under, one, one, one, one, one, two])
})

t.test('the first Close is the Close, whatever follows it', async (t) => {
  const first = Buffer.concat([frame(1, Buffer.from('a'), { mask }), closeFrame(4001, 'first', true)])
  const both = Buffer.concat([first, closeFrame(4002, 'second', true)])
  const tracker = new FrameTracker()
  tracker.track(both)
  t.strictSame([tracker.closeCode, tracker.closeStart], [4001, 7])
  const byteByByte = new FrameTracker()
  for (const byte of both) byteByByte.track(Buffer.from([byte]))
  t.equal(byteByByte.closeCode, 4001)
  const without = new FrameTracker()
  without.track(Buffer.concat([frame(8, Buffer.alloc(0), { mask }), closeFrame(4002, '', true)]))
  t.equal(without.closeCode, 1005)
})

t.test('a frame of 5 GiB is followed by its length', async (t) => {
  const tracker = new FrameTracker()
  tracker.track(Buffer.from([0x82, 127, ...bigEndian(5 * 2 ** 30)]))
  const chunk = Buffer.alloc(2 ** 20)
  for (let i = 0; i < 5 * 2 ** 10; i++) {
    if (tracker.atBoundary) t.fail(`a boundary in the middle, at ${i} MiB`)
    tracker.track(chunk)
  }
  t.equal(tracker.atBoundary, true)
  tracker.track(frame(1, Buffer.from('next')))
  t.equal(tracker.frames, 2)
})

t.test('a Close without a code counts as 1005', async (t) => {
  const tracker = new FrameTracker()
  tracker.track(frame(8, Buffer.alloc(0), { mask }))
  t.equal(tracker.closeCode, 1005)
})

t.test('frames of ours read back as they were meant', async (t) => {
  for (const masked of [false, true]) {
    const tracker = new FrameTracker()
    const close = closeFrame(1012, 'service restart', masked)
    tracker.track(Buffer.concat([controlFrame(9, Buffer.from('nonce'), masked), close]))
    t.equal(tracker.frames, 2)
    t.equal(tracker.closeCode, 1012)
    t.equal(tracker.atBoundary, true)
    t.equal((close[1]! & 0x80) !== 0, masked, 'the mask bit')
  }
  t.throws(() => closeFrame(1012, 'x'.repeat(124), false), RangeError)
})
