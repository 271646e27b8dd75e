import t from 'tap'
import { resolveBackends } from '../../lib/config/resolve-backends.ts'
import { iterable } from '../../lib/discovery/iterable.ts'
import { type SourceContext, type SourceOf } from '../../lib/discovery/source.ts'
import { fed, urlOf } from '../contract/source.ts'
import { ManualClock, settled } from '../support/clock.ts'

/** A source whose lists a test gives. */
function byHand() {
  const waiting: ((list: unknown) => void)[] = []
  const controls = { returned: 0, watched: 0 }
  const source: SourceOf<unknown> = {
    name: 'by-hand',
    watch: () => {
      controls.watched++
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise((resolve) => waiting.push((list) => resolve({ value: list as unknown[] }))),
          return: () => {
            controls.returned++
            return new Promise(() => {})
          },
        }),
      }
    },
  }
  const give = async (...ports: unknown[]) => {
    waiting.shift()!(ports.map((port) => (typeof port === 'number' ? urlOf(port) : port)))
    await settled()
  }
  return { source, give, controls }
}

t.test('who is missing goes only after it was missing for removeAfter', async (t) => {
  const clock = new ManualClock()
  const { source, give } = byHand()
  const { feed, ports, updates } = fed(t, source, clock, 10_000)
  feed.start()
  await give(1, 2, 3)
  await give(1)
  t.same(ports(), [1, 2, 3])
  await clock.advance(5_000)
  await give(1, 2)
  await clock.advance(4_999)
  t.same(ports(), [1, 2, 3])
  await clock.advance(1)
  t.same(ports(), [1, 2], '2 came back in time')
  await give(1)
  await clock.advance(9_999)
  t.same(ports(), [1, 2])
  await clock.advance(1)
  t.same(ports(), [1])
  t.equal(clock.pending, 0)
  t.equal(updates(), 6)
})

t.test(
  'who is missing goes in time also when the source fails meanwhile, and not once it is stopped',
  async (t) => {
    const clock = new ManualClock()
    const { source, give } = byHand()
    const { feed, ports } = fed(t, source, clock, 10_000)
    feed.start()
    await give(1, 2, 3)
    await give(1, 2)
    await clock.advance(3_000)
    await give('nonsense')
    await give()
    await clock.advance(7_000)
    t.same(ports(), [1, 2])
    await give(1)
    feed.stop()
    await clock.advance(60_000)
    t.same(ports(), [1, 2])
    t.equal(clock.pending, 0)
  },
)

t.test('an empty list counts where it is allowed, after removeAfter too', async (t) => {
  const clock = new ManualClock()
  const { source, give } = byHand()
  const { feed, ports, failures } = fed(t, source, clock, 10_000)
  feed.options = { removeAfter: 2_000, allowEmpty: true, startTimeout: 0 }
  feed.start()
  await give(1)
  await give()
  await clock.advance(1_999)
  t.same(ports(), [1])
  await clock.advance(1)
  t.same(ports(), [])
  t.same(failures, [])
})

t.test('the same id with another url is another backend at once', async (t) => {
  const clock = new ManualClock()
  const { source, give } = byHand()
  const { feed, ports } = fed(t, source, clock, 10_000)
  feed.start()
  await give({ id: 'blue', url: urlOf(1) })
  await give({ id: 'blue', url: urlOf(2) })
  t.same(ports(), [2])
})

t.test('a bad list is told once for each kind, and again after a recovery', async (t) => {
  const { source, give } = byHand()
  const { feed, ports, failures } = fed(t, source, new ManualClock())
  feed.start()
  await give(1)
  const twice = { id: 'a', url: urlOf(9) }
  const bad: unknown[][] = [
    ['foo'],
    ['foo'],
    [twice, twice],
    ['foo'],
    [{ url: urlOf(9), wieght: 2 }],
    [],
    [null],
    [urlOf(9), { url: urlOf(8), weight: -1 }],
  ]
  for (const list of bad) await give(...list)
  t.match(failures, [
    /^backends\[0\]: got "foo"/,
    /^backends\[1\]: has the same id "a" as backends\[0\]/,
    /^backends\[0\]\.wieght: unknown key, did you mean "weight"\?/,
    /empty/,
    /^backends\[0\]/,
    /^backends\[1\]\.weight: got -1/,
  ])
  t.equal(failures.length, 6)
  t.same(ports(), [1])
  await give(1)
  await give('foo')
  t.equal(failures.length, 7)
})

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('hands off')
    },
  },
)

const odd: Record<string, (context: SourceContext) => unknown> = {
  'throws at once': () => {
    throw new Error('boom')
  },
  'gives no iterable': () => 17,
  'gives nothing': () => undefined,
  'gives what cannot be looked at': () => hostile,
  'gives a promise of an iterable': async () => iterable((async function* () {})()),
  'ends at once': async function* () {},
  'throws something that is no error': async function* () {
    await Promise.reject(undefined)
  },
  'has a next that is none': () => ({ [Symbol.asyncIterator]: () => ({ next: 1 }) }),
  'has a next that gives nonsense': () => ({ [Symbol.asyncIterator]: () => ({ next: () => 1 }) }),
  'gives lists that are none': async function* () {
    yield hostile
    yield 'http://127.0.0.1:1'
    await new Promise(() => {})
  },
  'never waits': async function* ({ signal }) {
    while (!signal.aborted) yield []
  },
}
for (const [what, watch] of Object.entries(odd)) {
  t.test(`a source that ${what} is told, begun anew, and can be stopped`, async (t) => {
    const clock = new ManualClock()
    const source = { name: 'odd', watch: watch as unknown as SourceOf<unknown>['watch'] }
    const { feed, failures, ports } = fed(t, source, clock)
    feed.start()
    await clock.advance(10_000)
    t.ok(failures.length >= 1, failures.join('; '))
    t.ok(failures.every((failure) => typeof failure === 'string' && failure !== ''))
    t.same(ports(), [])
    feed.stop()
    await settled()
    t.equal(clock.pending, 0)
  })
}

t.test(
  'stopped, a source is asked to end though its next list never comes, and is not heard any more',
  async (t) => {
    const { source, give, controls } = byHand()
    const { feed, ports } = fed(t, source, new ManualClock())
    feed.start()
    await give(1)
    feed.stop()
    await settled()
    t.equal(controls.returned, 1)
    await give(2)
    t.same(ports(), [1])
  },
)

t.test('a source is begun anew with ever longer pauses, unless it lasted', async (t) => {
  const clock = new ManualClock()
  const begun: number[] = []
  let lasts = 0
  const source: SourceOf<string> = {
    name: 'restless',
    async *watch() {
      begun.push(clock.now() / 1_000)
      yield [urlOf(1)]
      if (lasts > 0) await new Promise<void>((resolve) => clock.schedule(lasts, resolve))
    },
  }
  const { feed } = fed(t, source, clock)
  feed.start()
  await clock.advance(31_000)
  t.same(begun, [0, 1, 3, 7, 15, 31])
  lasts = 40_000
  await clock.advance(30_000)
  t.equal(begun.at(-1), 61)
  await clock.advance(41_000)
  t.equal(begun.at(-1), 102)
  feed.stop()
})

t.test(
  'ready() waits for the first list, for startTimeout at most, and says what it waited for',
  async (t) => {
    const clock = new ManualClock()
    const { source, give } = byHand()
    const { feed, failures } = fed(t, source, clock)
    feed.options = { removeAfter: 0, allowEmpty: false, startTimeout: 5_000 }
    feed.start()
    let ready = 0
    void feed.ready().then(() => ready++)
    await clock.advance(4_999)
    t.equal(ready, 0)
    await clock.advance(1)
    t.equal(ready, 1)
    t.same(failures, ['it gave no list within 5000 ms'])
    void feed.ready().then(() => ready++)
    await give(1)
    t.equal(ready, 2)
    t.equal(clock.pending, 0)
    t.equal(feed.problem, null)
  },
)

for (const [kind, then] of Object.entries({
  'that rejects': (_resolve: unknown, reject: (error: Error) => void) => reject(new Error('later')),
  'that never settles': () => {},
  'whose then throws': () => {
    throw new Error('then')
  },
})) {
  t.test(`a source that throws a thenable ${kind} is begun anew like any other`, async (t) => {
    const clock = new ManualClock()
    let watched = 0
    const source: SourceOf<unknown> = {
      name: 'odd',
      watch: () => {
        watched++
        throw { then } // eslint-disable-line @typescript-eslint/only-throw-error
      },
    }
    const { feed } = fed(t, source, clock)
    feed.start()
    await settled()
    await clock.advance(1_200)
    t.equal(watched, 2)
    t.match(feed.problem, /object/)
  })
}

t.test('a long list that is wrong costs little and is told in short, also in the snapshot', async (t) => {
  const clock = new ManualClock()
  const { source, give } = byHand()
  const { feed, ports, failures } = fed(t, source, clock)
  feed.start()
  await give(1)
  const last = () => failures.at(-1)!.split('\n')
  const wrong = Array.from({ length: 20_000 }, (_, index) => ({ url: index, wight: 1 }))
  await give(...wrong)
  t.match(last()[0], /^backends\[0\]\.url: got 0/)
  t.equal(last().length, 21)
  t.equal(last()[20], 'backends: … and 19990 more items were not looked at')
  t.equal(feed.problem, failures.at(-1))
  await give(...new Array<unknown>(20_000))
  t.equal(last()[20], 'backends: … and 19980 more items were not looked at')
  await give(...new Array<number>(5_000).fill(7))
  t.match(last()[0], 'backends[1]: has the same id "127.0.0.1:7" as backends[0]')
  t.equal(last()[20], 'backends: … and 4979 more problems')
  t.same(ports(), [1])
})

t.test('a list above 100,000 items is refused before it is looked at', async (t) => {
  const endless: unknown[] = []
  endless.length = 1e6
  const read: unknown[] = []
  const watched = new Proxy(endless, {
    get: (list, key) => {
      read.push(key)
      return Reflect.get(list, key) as unknown
    },
  })
  t.throws(() => resolveBackends(watched), {
    message: 'backends: has 1000000 items; expected at most 100000',
  })
  t.notOk(read.includes('0'))
  t.throws(() => resolveBackends(undefined), { message: 'backends: is missing; expected a list of urls' })
})

t.test('of a failure that a source puts into a megabyte, the beginning is kept', async (t) => {
  const source: SourceOf<unknown> = {
    name: 'wordy',
    watch: () => {
      throw new Error('no'.repeat(500_000))
    },
  }
  const { feed, failures } = fed(t, source, new ManualClock())
  feed.start()
  await settled()
  t.equal(failures[0]?.length, 4_001)
  t.equal(feed.problem, failures[0])
})
