import { EventEmitter, on } from 'node:events'
import t from 'tap'
import { iterable } from '../../lib/discovery/iterable.ts'
import { fed, sourceContract, urlOf } from '../contract/source.ts'
import { ManualClock } from '../support/clock.ts'

sourceContract(() => {
  const emitter = new EventEmitter()
  // Nothing is lost: `on` keeps what nobody has taken yet.
  const events = on(emitter, 'list') as AsyncIterableIterator<[unknown[]]>
  const lists: AsyncIterable<unknown[]> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const { value, done } = (await events.next()) as { value?: [unknown[]]; done?: boolean }
        return done ? { value: undefined, done } : { value: value![0] }
      },
      return: async () => {
        await events.return!()
        return { value: undefined, done: true }
      },
    }),
  }
  const set = (list: unknown[]) => emitter.emit('list', list)
  set([urlOf(1), urlOf(2)])
  return {
    source: iterable(lists as AsyncIterable<string[]>),
    set: (ports) => set(ports.map(urlOf)),
    empty: () => set([]),
    spoil: () => set([urlOf(1), 17]),
    fail: () => emitter.emit('error', new Error('the subscription is gone')),
    endsWithFailure: true,
    open: () => emitter.listenerCount('list'),
  }
})

t.test('a generator that ends is told once, and its last list stays', async (t) => {
  const clock = new ManualClock()
  async function* lists() {
    yield [urlOf(1)]
    yield [urlOf(2)]
  }
  const { feed, failures, ports } = fed(t, iterable(lists()), clock)
  feed.start()
  await clock.advance(100_000)
  t.same(ports(), [2])
  t.same(failures, ['it has ended'])
  t.equal(feed.problem, 'it has ended')
})

t.test('two pools cannot share one: the second is told', async (t) => {
  const clock = new ManualClock()
  async function* lists() {
    yield [urlOf(1)]
    await new Promise(() => {})
  }
  const source = iterable(lists())
  const first = fed(t, source, clock)
  const second = fed(t, source, clock)
  first.feed.start()
  second.feed.start()
  await clock.advance(1_000)
  t.same(first.ports(), [1])
  t.same(first.failures, [])
  t.same(second.failures, ['it has ended'])
})
