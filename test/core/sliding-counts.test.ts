import t from 'tap'
import { SlidingCounts } from '../../lib/core/sliding-counts.ts'

t.test('counts what happened within the window, to a tenth of it', async (t) => {
  const counts = new SlidingCounts(1_000, ['good', 'bad'])
  t.equal(counts.of('good', 0), 0)
  for (let now = 0; now < 1_000; now += 100) counts.add('good', now)
  counts.add('bad', 999)
  t.equal(counts.of('good', 999), 10)
  t.equal(counts.of('good', 1_000), 9, 'the first has lapsed')
  t.equal(counts.of('good', 1_499), 5)
  t.equal(counts.of('bad', 1_899), 1)
  t.equal(counts.of('bad', 1_900), 0)
  t.equal(counts.of('good', 1_900), 0)
})

t.test('after a lull nothing is left, however long it was', async (t) => {
  for (const lull of [1_000, 1_050, 5_000, 1e12]) {
    const counts = new SlidingCounts(1_000, ['good'])
    for (let now = 0; now < 1_000; now += 7) counts.add('good', now)
    counts.add('good', 999 + lull)
    t.equal(counts.of('good', 999 + lull), 1, `${lull} ms`)
  }
})

t.test('a time that has passed already counts as now', async (t) => {
  const counts = new SlidingCounts(1_000, ['good'])
  counts.add('good', 5_000)
  counts.add('good', 4_000)
  t.equal(counts.of('good', 5_000), 2)
  t.equal(counts.of('good', 5_999), 2)
  t.equal(counts.of('good', 6_000), 0)
})
