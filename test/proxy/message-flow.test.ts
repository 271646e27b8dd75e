import { Duplex } from 'node:stream'
import t from 'tap'
import { dataFrame } from '../../lib/protocol/frame-writer.ts'
import { type Controls } from '../../lib/proxy/controls.ts'
import { MessageFlow } from '../../lib/proxy/message-flow.ts'
import { type MessageRule } from '../../lib/proxy/message-hook.ts'
import { MessageMode } from '../../lib/proxy/message-mode.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

class FakeLeg extends Duplex {
  readonly written: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    done()
  }
}

t.test('what comes at once is seen by one rule, which is looked up once', async (t) => {
  const seen: unknown[] = []
  const rule: MessageRule = {
    ...{ maxSize: 100, concurrency: 16, from: 'both' },
    hook: ({ data }) => void seen.push(data),
  }
  let lookups = 0
  const mode = new MessageMode({
    ...{ tunnel: 1, request: plainRequest(), backend: plainBackend('a'), timeout: () => 1_000 },
    controls: {} as Controls,
    rule: () => {
      lookups++
      return rule
    },
  })
  const [from, to] = [new FakeLeg(), new FakeLeg()]
  const flow: MessageFlow = new MessageFlow({
    ...{ sender: 'backend', from, to, clock: new ManualClock(), mode },
    back: () => flow,
    onProgress: () => {},
    onStop: ({ error }) => t.fail(String(error)),
  })
  lookups = 0
  flow.pass(Buffer.concat(['a', 'b', 'c', 'd'].map((text) => dataFrame(1, Buffer.from(text), false))))
  t.strictSame(seen, ['a', 'b', 'c', 'd'])
  t.equal(to.written.length, 4)
  t.equal(lookups, 1)
})
