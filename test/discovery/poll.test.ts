import t from 'tap'
import { poll } from '../../lib/discovery/poll.ts'
import { fed, sourceContract, urlOf } from '../contract/source.ts'
import { ManualClock, settled } from '../support/clock.ts'

sourceContract(() => {
  let answer: () => unknown[] = () => [urlOf(1), urlOf(2)]
  let running = 0
  const directory = async ({ signal }: { signal: AbortSignal }) => {
    running++
    try {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
      return answer()
    } finally {
      running--
    }
  }
  return {
    source: poll(directory, { every: '200ms' }),
    set: (ports) => (answer = () => ports.map(urlOf)),
    empty: () => (answer = () => []),
    spoil: () => (answer = () => [urlOf(1), { url: 'nowhere' }]),
    fail: () =>
      (answer = () => {
        throw new Error('the directory is closed')
      }),
    open: () => running,
  }
})

t.test('it asks at its pace, ±10 %, and is named after its function', async (t) => {
  const clock = new ManualClock()
  const asked: number[] = []
  const source = poll(
    function directory() {
      asked.push(clock.now())
      return [urlOf(1)]
    },
    { every: '10s' },
  )
  t.equal(source.name, 'poll(directory)')
  t.equal(poll(() => []).name, 'poll')
  const chances = [0, 0.5, 0.999]
  const random = () => chances[asked.length - 1] ?? 0.5
  const controller = new AbortController()
  const lists = source.watch({ signal: controller.signal, clock, random, report: () => {} })
  const reading = (async () => {
    for await (const list of lists) t.same(list, [urlOf(1)])
  })()
  await clock.advance(30_000)
  controller.abort()
  await reading.catch(() => {})
  t.match(
    asked.map((at) => Math.round(at / 100) / 10),
    [0, 9, 19, 30],
  )
  t.equal(clock.pending, 0)
})

t.test('it asks ever more rarely while it fails: after 1, 2, 4 … 30 seconds', async (t) => {
  const clock = new ManualClock()
  const asked: number[] = []
  const source = poll(() => {
    asked.push(clock.now() / 1_000)
    throw new Error('closed')
  })
  const { feed, failures } = fed(t, source, clock)
  feed.start()
  await clock.advance(100_000)
  t.same(asked, [0, 1, 3, 7, 15, 31, 61, 91])
  t.same(failures, ['closed'], 'told once')
  feed.stop()
  await settled()
  t.equal(clock.pending, 0)
})

t.test('a call that hangs is told and told to end; nobody calls again before it has ended', async (t) => {
  const clock = new ManualClock()
  let calls = 0
  let aborted: unknown
  let finish = () => {}
  const source = poll<string>(
    ({ signal }) => {
      calls++
      signal.addEventListener('abort', () => (aborted = signal.reason as unknown))
      return new Promise((resolve) => (finish = () => resolve([urlOf(calls)])))
    },
    { every: '1s', timeout: '5s' },
  )
  const { feed, failures, ports } = fed(t, source, clock)
  feed.start()
  await clock.advance(4_999)
  t.equal(aborted, undefined)
  await clock.advance(60_000)
  t.match(aborted, { message: 'no answer within 5000 ms' })
  t.same(failures, ['no answer within 5000 ms'])
  t.equal(calls, 1)
  finish()
  await clock.advance(1_000)
  t.same(ports(), [], 'what comes too late does not count')
  t.equal(calls, 2)
  finish()
  await settled()
  t.same(ports(), [2])
})

t.test('a function that hangs for ever does not keep the feed from ending', async (t) => {
  const clock = new ManualClock()
  const { feed } = fed(
    t,
    poll(() => new Promise<string[]>(() => {})),
    clock,
  )
  feed.start()
  await settled()
  feed.stop()
  await settled()
  t.equal(clock.pending, 0)
})

t.test('times that are none are refused', async (t) => {
  t.throws(() => poll(() => [], { every: 0 }), { code: 'WSLB_CONFIG_INVALID', message: /^every: / })
  t.throws(() => poll(() => [], { timeout: 'soon' as never }), { message: /^timeout: / })
})
