import t, { type Test } from 'tap'
import { type Clock } from '../../lib/core/clock.ts'
import { type BackendSpec } from '../../lib/pool/membership.ts'
import { resolveBackends } from '../../lib/config/resolve-backends.ts'
import { Feed } from '../../lib/discovery/feed.ts'
import { type SourceOf } from '../../lib/discovery/source.ts'
import { FastClock } from '../support/clock.ts'
import { until } from '../support/until.ts'

/** A source, and the place it asks, which a test can change. */
export interface SourceBench {
  readonly source: SourceOf<unknown>
  /** From now on the place names these, by port. */
  set(ports: readonly number[]): unknown
  /** From now on it cannot be asked. */
  fail(): unknown
  /** From now on it names nobody; absent where that cannot be told from a failure. */
  empty?(): unknown
  /** From now on one of its items is none; absent where that cannot be said. */
  spoil?(): unknown
  /** Whether its lists come to an end that it does not recover from. */
  readonly endsWithFailure?: boolean
  /** What the source has open or under way. */
  open(): number
}

/** What comes of a source. */
export function fed(
  t: Test,
  source: SourceOf<unknown>,
  clock: Clock & { readonly pending: number } = new FastClock(20),
  removeAfter = 0,
) {
  let members: readonly BackendSpec[] = []
  const failures: string[] = []
  let updates = 0
  const feed = new Feed<BackendSpec>(
    source,
    [],
    { removeAfter, allowEmpty: false, startTimeout: 60_000 },
    {
      clock,
      random: () => 0.5,
      parse: resolveBackends,
      onMembers: (now) => {
        members = now
        updates++
      },
      onFailure: (error) => failures.push(error.message),
    },
  )
  t.teardown(() => feed.stop())
  const ports = () => members.map(({ url }) => Number(url.port)).sort((a, b) => a - b)
  const has = (...wanted: number[]) =>
    until(() => String(ports()) === String(wanted), `the backends ${String(wanted)}`).catch(
      (error: Error) => {
        throw new Error(`${error.message}; there are ${String(ports())}; failures: ${failures.join('; ')}`)
      },
    )
  const failed = (count = 1) => until(() => failures.length >= count, `failure ${count}`)
  return {
    feed,
    clock,
    failures,
    ports,
    has,
    failed,
    members: () => members,
    updates: () => updates,
  }
}

/** What every source promises. @param make a bench that names the ports 1 and 2 */
export function sourceContract(make: (t: Test) => Promise<SourceBench> | SourceBench): void {
  t.test('the first list', async (t) => {
    const { source } = await make(t)
    t.match(source.name, /^[a-z]+/)
    const { feed, has, failures } = fed(t, source)
    feed.start()
    await feed.ready()
    await has(1, 2)
    t.same(failures, [])
    t.equal(feed.problem, null)
  })

  t.test('a change: who stays is the same, who comes and goes is seen', async (t) => {
    const bench = await make(t)
    const { feed, has, members } = fed(t, bench.source)
    feed.start()
    await has(1, 2)
    const [first] = members().filter(({ url }) => url.port === '1')
    await bench.set([1, 3])
    await has(1, 3)
    t.equal(members().find(({ url }) => url.port === '1')?.id, first!.id)
    await bench.set([2, 3, 4])
    await has(2, 3, 4)
  })

  t.test('a failure keeps the last good list and is told; a later list ends it', async (t) => {
    const bench = await make(t)
    const { feed, has, ports, failed, failures } = fed(t, bench.source)
    feed.start()
    await has(1, 2)
    await bench.fail()
    await failed()
    t.same(ports(), [1, 2])
    t.type(feed.problem, 'string')
    t.not(failures[0], '')
    if (bench.endsWithFailure) return
    await bench.set([2, 3])
    await has(2, 3)
    await until(() => feed.problem === null, 'the problem to be over')
  })

  t.test('failing from the start, it recovers', async (t) => {
    const bench = await make(t)
    if (bench.endsWithFailure) return
    const { feed, has, ports, failed } = fed(t, bench.source)
    await bench.fail()
    feed.start()
    await failed()
    t.same(ports(), [])
    await bench.set([1])
    await has(1)
  })

  t.test('an empty list keeps the last good one and is told', async (t) => {
    const bench = await make(t)
    if (!bench.empty) return
    const { feed, has, ports, failed, failures } = fed(t, bench.source)
    feed.start()
    await has(1, 2)
    await bench.empty()
    await failed()
    t.match(failures[0], /empty/)
    t.same(ports(), [1, 2])
    await bench.set([4])
    await has(4)
  })

  t.test('a list with an item that is none counts for nothing, and is told with the path', async (t) => {
    const bench = await make(t)
    if (!bench.spoil) return
    const { feed, has, ports, failed, failures } = fed(t, bench.source)
    feed.start()
    await has(1, 2)
    await bench.spoil()
    await failed()
    t.match(failures[0], /^backends\[1\]/)
    t.same(ports(), [1, 2])
    await bench.set([1, 2, 3])
    await has(1, 2, 3)
  })

  t.test('stopped, it ends and leaves nothing', async (t) => {
    const bench = await make(t)
    const { feed, has, clock, updates } = fed(t, bench.source)
    feed.start()
    await has(1, 2)
    feed.stop()
    const seen = updates()
    await until(() => bench.open() === 0, 'the source to close what it has opened')
    await until(() => clock.pending === 0, 'its timers to be over')
    await bench.set([3])
    t.equal(updates(), seen)
  })

  t.test('stopped before its first list, it leaves nothing', async (t) => {
    const bench = await make(t)
    const { feed, clock } = fed(t, bench.source)
    feed.start()
    feed.stop()
    await feed.ready()
    await until(() => bench.open() === 0, 'the source to close what it has opened')
    await until(() => clock.pending === 0, 'its timers to be over')
    t.equal(feed.updatedAt, null)
  })

  t.test('stopped while it fails, it leaves nothing', async (t) => {
    const bench = await make(t)
    const { feed, clock, failed } = fed(t, bench.source)
    await bench.fail()
    feed.start()
    await failed()
    feed.stop()
    await until(() => bench.open() === 0, 'the source to close what it has opened')
    await until(() => clock.pending === 0, 'its timers to be over')
  })
}

export const urlOf = (port: number): string => `http://127.0.0.1:${port}`
