import { Duplex } from 'node:stream'
import t from 'tap'
import * as ws from 'ws'
import { FrameFlow } from '../../lib/proxy/frame-flow.ts'
import { FrameTracker } from '../../lib/protocol/frame-tracker.ts'
import { closeFrame, controlFrame, dataFrame } from '../../lib/protocol/frame-writer.ts'
import { type Random } from '../../lib/core/clock.ts'
import { ManualClock, settled } from '../support/clock.ts'
import { seededRandom } from '../support/random.ts'

/** Exported by ws, but not in its types. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: object) => NodeJS.WritableStream
  Sender: { frame(payload: Buffer, options: object): Buffer[] }
}

/** A leg that keeps what is written to it. */
class FakeLeg extends Duplex {
  readonly written: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(Buffer.from(chunk))
    done()
  }
}

interface Received {
  readonly messages: string[]
  close: { code: number; reason: string } | undefined
}

/** What an independent implementation reads from the bytes; it throws on any violation of the protocol. */
function parse(bytes: Buffer, masked: boolean): Received {
  const received: Received = { messages: [], close: undefined }
  const receiver = new Receiver({ isServer: masked, allowSynchronousEvents: true, maxPayload: 0 })
  receiver.on('message', (data: Buffer) => received.messages.push(data.toString('latin1')))
  receiver.on(
    'conclude',
    (code: number, reason: Buffer) => (received.close = { code, reason: String(reason) }),
  )
  receiver.on('error', (error: Error) => {
    throw error
  })
  receiver.write(bytes)
  return received
}

/** A random conversation: whole and fragmented messages with control frames between the fragments. */
function conversation(random: Random, masked: boolean, endsWithClose: boolean) {
  const int = (below: number) => Math.floor(random() * below)
  const bytes: Buffer[] = []
  const add = (payload: Buffer, opcode: number, fin = true) =>
    bytes.push(...Sender.frame(payload, { opcode, fin, mask: masked, readOnly: true, rsv1: false }))
  const messages: string[] = []
  for (let i = 0; i < 12; i++) {
    const parts = Array.from({ length: 1 + int(4) }, () =>
      Buffer.alloc(int(2) ? int(130) : int(70_000), 97 + int(26)),
    )
    parts.forEach((part, at) => {
      add(part, at === 0 ? 2 : 0, at === parts.length - 1)
      if (int(3) === 0) add(Buffer.from('control'), 9 + int(2))
    })
    messages.push(Buffer.concat(parts).toString('latin1'))
  }
  if (endsWithClose) bytes.push(closeFrame(4000, 'mine', masked))
  let end = 0
  const boundaries = bytes.map(({ length }) => (end += length))
  return { bytes: Buffer.concat(bytes), messages, boundaries }
}

for (const masked of [false, true]) {
  t.test(
    `a Close of ours put in at any moment breaks nothing (${masked ? 'to the backend' : 'to the client'})`,
    async (t) => {
      const random = seededRandom(masked ? 11 : 13)
      const cutAt = { early: 0, late: 0 }
      for (let run = 0; run < 300; run++) {
        const { bytes, messages } = conversation(random, masked, random() < 0.5)
        const [from, to] = [new FakeLeg(), new FakeLeg()]
        const flow = new FrameFlow(from, to, new ManualClock())
        const moment = random() * bytes.length * 1.1
        const atClose = random() < 0.3
        let asked = false
        for (let at = 0; at < bytes.length;) {
          if (!asked && at >= moment) {
            asked = true
            if (atClose) flow.endAtClose(closeFrame(1012, 'ours', masked))
            else flow.endWith(closeFrame(1012, 'ours', masked))
          }
          const size = 1 + Math.floor(random() ** 6 * 20_000)
          flow.pass(bytes.subarray(at, at + size))
          at += size
        }
        const received = parse(Buffer.concat(to.written), masked)
        // Whatever arrived is a prefix of what was sent: whole, in order, once.
        t.strictSame(received.messages, messages.slice(0, received.messages.length))
        if (received.close?.reason === 'ours') cutAt.early++
        else {
          cutAt.late++
          t.equal(received.messages.length, messages.length, 'nothing is missing where we did not cut')
        }
        if (flow.over) t.strictSame(received.close, { code: 1012, reason: 'ours' })
      }
      t.ok(cutAt.early > 50 && cutAt.late > 50, 'both kinds of run happened')
    },
  )
}

for (const masked of [false, true]) {
  t.test(
    `Pings, messages and Closes of ours at any moment: nothing after a Close (${masked ? 'to the backend' : 'to the client'})`,
    async (t) => {
      const random = seededRandom(masked ? 19 : 23)
      const runs = { ours: 0, theirs: 0, sent: 0, dropped: 0 }
      for (let run = 0; run < 300; run++) {
        const { bytes, messages, boundaries } = conversation(random, masked, random() < 0.5)
        const [from, to] = [new FakeLeg(), new FakeLeg()]
        const flow = new FrameFlow(from, to, new ManualClock())
        const taken: string[] = []
        const unsettled = new Set<string>()
        let count = 0
        // Whoever hears that a message is gone has the next one ready, as a hook does that waits for room.
        const send = (more: number): void => {
          const text = `ours ${count++}`
          unsettled.add(text)
          const accepted = flow.send(dataFrame(1, Buffer.from(text), masked), () => {
            if (!unsettled.delete(text)) t.fail(`${text} is told twice`)
            if (more > 0) send(more - 1)
          })
          if (accepted) taken.push(text)
          else unsettled.delete(text)
        }
        const end = random() * bytes.length * 1.5
        const close = closeFrame(1012, 'ours', masked)
        const asks = [
          () => flow.endWith(close),
          () => flow.endAtClose(close),
          () => {
            flow.endAtClose(close)
            flow.endWith(close)
          },
        ]
        let ended = false
        for (let at = 0; at < bytes.length;) {
          if (random() < 0.3) send(3)
          if (random() < 0.1) flow.inject(controlFrame(9, Buffer.from('ping'), masked))
          if (random() < 0.05) flow.awaitPong(Buffer.from('nobody answers'), () => {})
          if (!ended && at >= end) {
            ended = true
            asks[Math.floor(random() * asks.length)]!()
          }
          // Often up to the end of a frame, which may be in the middle of a message.
          const size =
            random() < 0.3
              ? boundaries.find((boundary) => boundary > at)! - at
              : 1 + Math.floor(random() ** 6 * 20_000)
          flow.pass(bytes.subarray(at, at + size))
          at += size
          if (random() < 0.3) await settled()
        }
        flow.finish(closeFrame(1001, '', masked))
        await settled()
        const written = Buffer.concat(to.written)
        const received = parse(written, masked)
        const [ours, theirs] = [[] as string[], [] as string[]]
        for (const message of received.messages) (message.startsWith('ours') ? ours : theirs).push(message)
        t.strictSame(theirs, messages.slice(0, theirs.length))
        t.strictSame(
          ours,
          taken.filter((text) => ours.includes(text)),
          'in order, once',
        )
        t.equal(unsettled.size, 0, 'each is told')
        // The receiver of ws does not look at what follows a Close.
        const { code, reason } = received.close!
        const tracker = new FrameTracker()
        tracker.track(written)
        t.equal(
          written.length - tracker.closeStart,
          closeFrame(code, reason, masked).length,
          'nothing follows',
        )
        runs[received.close?.reason === 'mine' ? 'theirs' : 'ours']++
        runs.sent += ours.length
        runs.dropped += taken.length - ours.length
      }
      t.ok(
        Object.values(runs).every((count) => count > 20),
        JSON.stringify(runs),
      )
    },
  )
}

t.test('a Close of ours replaces that of the sender, behind everything it sent before', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  flow.endAtClose(closeFrame(1001, '', true))
  const { bytes, messages } = conversation(seededRandom(3), true, true)
  for (let at = 0; at < bytes.length; at += 7) flow.pass(bytes.subarray(at, at + 7))
  const received = parse(Buffer.concat(to.written), true)
  t.strictSame(received.messages, messages)
  t.strictSame(received.close, { code: 1001, reason: '' })
  t.equal(flow.over, true)
})

t.test('after the Close of the sender nothing of ours follows', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  flow.pass(closeFrame(1000, 'bye', false))
  flow.endWith(closeFrame(1012, 'ours', false))
  t.strictSame(Buffer.concat(to.written), closeFrame(1000, 'bye', false))
  t.equal(flow.over, false)
})

t.test('in the middle of a frame that never ends nothing is put in', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  const half = Buffer.from([0x82, 126, 0x10, 0x00, 1, 2, 3])
  flow.pass(half)
  flow.endWith(closeFrame(1012, 'ours', false))
  flow.pass(Buffer.from([4, 5, 6]))
  t.strictSame(Buffer.concat(to.written), Buffer.concat([half, Buffer.from([4, 5, 6])]))
})

t.test('the Pong to our Ping is taken out wherever it comes, and not a byte else', async (t) => {
  const random = seededRandom(17)
  for (let run = 0; run < 200; run++) {
    const [from, to] = [new FakeLeg(), new FakeLeg()]
    const flow = new FrameFlow(from, to, new ManualClock())
    const before = conversation(random, true, false).bytes
    const after = conversation(random, true, true).bytes
    const nonce = Buffer.from(`nonce${run}`)
    const bytes = Buffer.concat([before, controlFrame(10, nonce, true), after])
    let answers = 0
    const moment = random() * before.length
    let asked = false
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(random() ** 6 * 20_000)
      // Before the chunk that it falls into: no Pong comes before its Ping.
      if (!asked && at + size > moment) {
        asked = true
        flow.awaitPong(nonce, () => answers++)
      }
      flow.pass(bytes.subarray(at, at + size))
      at += size
    }
    t.equal(answers, 1)
    t.equal(Buffer.compare(Buffer.concat(to.written), Buffer.concat([before, after])), 0)
    t.equal(flow.closeCode, 4000)
  }
})

t.test(
  'a Pong of somebody else passes, a Pong longer than the protocol allows is not kept for ever',
  async (t) => {
    const [from, to] = [new FakeLeg(), new FakeLeg()]
    const flow = new FrameFlow(from, to, new ManualClock())
    flow.awaitPong(Buffer.from('mine'), () => t.fail('not mine'))
    const foreign = controlFrame(10, Buffer.from('yours'), true)
    const endless = Buffer.concat([Buffer.from([0x8a, 127, 0, 0, 0, 1, 0, 0, 0, 0]), Buffer.alloc(100_000)])
    const bytes = Buffer.concat([foreign, endless])
    for (let at = 0; at < bytes.length; at += 50) flow.pass(bytes.subarray(at, at + 50))
    t.equal(Buffer.compare(Buffer.concat(to.written), bytes), 0)
  },
)

t.test('several Pings may be in the air; the answer to the latest stands for those before it', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  const answered: string[] = []
  const ask = (nonce: string) => flow.awaitPong(Buffer.from(nonce), () => answered.push(nonce))
  const pong = (nonce: string) => controlFrame(10, Buffer.from(nonce), false)
  ask('one')
  ask('two')
  ask('three')
  flow.pass(pong('one'))
  flow.pass(pong('three'))
  t.strictSame(answered, ['one', 'three'])
  t.strictSame(to.written, [])
  flow.pass(pong('two'))
  t.strictSame(to.written, [pong('two')], 'nobody waits for it any more')

  for (let ping = 0; ping < 100; ping++) ask(`unanswered ${ping}`)
  flow.pass(pong('unanswered 0'))
  t.strictSame(Buffer.concat(to.written.splice(1)), pong('unanswered 0'), 'the oldest are forgotten')
  flow.pass(pong('unanswered 99'))
  t.equal(answered.at(-1), 'unanswered 99')
})

t.test('two Closes in one chunk: ours stands in place of the first, and nothing behind it', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  flow.endAtClose(closeFrame(1001, '', true))
  flow.pass(Buffer.concat([closeFrame(4001, 'first', true), closeFrame(4002, 'second', true)]))
  const bytes = Buffer.concat(to.written)
  t.equal(bytes.length, closeFrame(1001, '', true).length)
  t.strictSame(parse(bytes, true).close, { code: 1001, reason: '' })
  t.equal(flow.closeCode, 4001)
})

t.test('activity is something of a message, not of a control frame', async (t) => {
  const clock = new ManualClock()
  const flow = new FrameFlow(new FakeLeg(), new FakeLeg(), clock)
  const passAt = async (bytes: Buffer) => {
    await clock.advance(10)
    flow.pass(bytes)
    return flow.activeAt
  }
  const ping = controlFrame(9, Buffer.from('ping'), true)
  t.equal(await passAt(ping.subarray(0, 8)), 0)
  t.equal(await passAt(ping.subarray(8)), 0)
  const message = Buffer.from([0x81, 3, 97, 98, 99])
  t.equal(await passAt(message.subarray(0, 3)), 30)
  t.equal(await passAt(message.subarray(3, 4)), 40)
  t.equal(flow.counts.messages, 0)
  t.equal(await passAt(message.subarray(4)), 50)
  t.equal(flow.counts.messages, 1)
})

t.test('who talks for a minute and does not answer is not waited for any more', async (t) => {
  const clock = new ManualClock()
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, clock)
  const say = async (milliseconds: number, bytes: Buffer) => {
    await clock.advance(milliseconds)
    to.written.length = 0
    flow.pass(bytes)
    return Buffer.concat(to.written)
  }
  const message = Buffer.from([0x81, 1, 97])
  const pong = (nonce: string) => controlFrame(10, Buffer.from(nonce), false)
  flow.awaitPong(Buffer.from('one'), () => t.pass('in time'))
  await say(60_000, message)
  t.equal((await say(0, pong('one'))).length, 0, 'taken out')
  flow.awaitPong(Buffer.from('two'), () => t.fail('too late'))
  t.strictSame(await say(60_001, message), message)
  t.strictSame(await say(0, pong('two')), pong('two'))
  flow.awaitPong(Buffer.from('three'), () => t.pass('asked anew'))
  t.equal((await say(0, pong('three'))).length, 0)
})

t.test('nothing is put in within a frame or behind a Close', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  const ping = controlFrame(9, Buffer.from('x'), false)
  t.equal(flow.inject(ping), true)
  const message = Buffer.from([0x81, 3, 97, 98, 99])
  flow.pass(message.subarray(0, 4))
  t.equal(flow.inject(ping), false)
  flow.pass(message.subarray(4))
  t.equal(flow.inject(ping), true)
  flow.pass(closeFrame(1000, '', false))
  t.equal(flow.inject(ping), false)
})

t.test('when a drain begins, a Pong that is half here is not lost on the way', async (t) => {
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow = new FrameFlow(from, to, new ManualClock())
  flow.awaitPong(Buffer.from('mine'), () => t.fail('it is passed on instead'))
  const pong = controlFrame(10, Buffer.from('mine'), true)
  flow.pass(pong.subarray(0, 5))
  t.equal(to.written.length, 0, 'held back')
  flow.endAtClose(closeFrame(1001, '', true))
  flow.pass(Buffer.concat([pong.subarray(5), closeFrame(1000, '', true)]))
  t.strictSame(parse(Buffer.concat(to.written), true).close, { code: 1001, reason: '' })
})
