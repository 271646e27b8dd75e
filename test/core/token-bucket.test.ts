import t from 'tap'
import { TokenBucket } from '../../lib/core/token-bucket.ts'
import { seededRandom } from '../support/random.ts'

const of = (rate: number) => new TokenBucket(() => rate)
const times = (count: number) => Array.from({ length: count })

/** By how many the fullest stretch of time has more than it may. */
function excess(due: readonly number[], rate: number): number {
  const sorted = due.toSorted((a, b) => a - b)
  let most = -Infinity
  for (let first = 0; first < sorted.length; first++) {
    for (let last = first; last < sorted.length; last++) {
      const allowed = (rate * (sorted[last]! - sorted[first]!)) / 1_000 + Math.max(1, rate / 10)
      most = Math.max(most, last - first + 1 - allowed)
    }
  }
  return most
}

t.test("a tenth of a second's worth is there at once, one at least, then one after the other", async (t) => {
  for (const [rate, atOnce, first] of [
    [1, 1, 1_000],
    [3, 1, 1_000 / 3],
    [7, 1, 1_000 / 7],
    [10, 1, 100],
    [15, 1, 100 / 3],
    [50, 5, 20],
    [200, 20, 5],
    [1_000, 100, 1],
  ] as const) {
    const bucket = of(rate)
    const waits = times(atOnce + rate).map(() => bucket.take(5) - 5)
    t.ok(
      waits.slice(0, atOnce).every((wait) => wait === 0),
      `${atOnce} of ${rate} at once`,
    )
    t.ok(
      waits.slice(atOnce).every((wait, index) => Math.abs(wait - (first + (index * 1_000) / rate)) < 1e-6),
      `after ${first} ms one each ${1_000 / rate} ms`,
    )
  }
})

t.test('asking takes nothing', async (t) => {
  const bucket = of(1)
  t.same([bucket.wait(0), bucket.wait(0), bucket.take(0), bucket.wait(0)], [0, 0, 0, 1_000])
  t.equal(bucket.wait(400), 600)
})

t.test('it fills up again, and not beyond its size', async (t) => {
  const bucket = of(100)
  for (let i = 0; i < 10; i++) bucket.take(0)
  const free = (now: number) => {
    let count = 0
    while (bucket.wait(now) === 0) {
      bucket.take(now)
      count++
    }
    return count
  }
  t.equal(free(50), 5)
  t.equal(free(150), 10)
  t.equal(free(1_000_000), 10)
})

t.test('at random moments: never more than the rate, and never less than there was room for', async (t) => {
  for (const [seed, rate, maxWait] of [
    [1, 1, 0],
    [2, 10, 0],
    [3, 50, 0],
    [4, 50, 1_000],
    [5, 7, 300],
    [6, 15, 0],
    [7, 200, 500],
  ] as const) {
    const random = seededRandom(seed)
    const size = Math.max(1, rate / 10)
    const bucket = of(rate)
    const due: number[] = []
    // The same in the words of the textbook, for those that do not wait.
    let tokens = size
    let before = 0
    let now = 0
    for (let arrival = 0; arrival < 3_000; arrival++) {
      // Crowds and lulls: on average twice what is allowed.
      now += random() < 0.01 ? 2_000 * random() : (random() * 1_000) / (2 * rate)
      tokens = Math.min(size, tokens + ((now - before) * rate) / 1_000)
      before = now
      const wait = bucket.wait(now)
      if (maxWait === 0) {
        if (Math.abs(tokens - 1) > 1e-6 && (wait === 0) !== tokens >= 1)
          t.fail(`${tokens} tokens, ${wait} ms`)
        if (wait === 0) tokens--
      }
      if (wait <= maxWait) due.push(bucket.take(now))
    }
    const most = excess(due, rate)
    t.ok(most < 1e-6, `${due.length} at ${rate} a second: ${most.toFixed(3)} too many`)
    t.ok(most > -1, 'and as many as allowed')
  }
})

t.test('the rate may change: what has come in since it was empty stays the same time', async (t) => {
  let rate = 100
  const bucket = new TokenBucket(() => rate)
  for (let i = 0; i < 10; i++) bucket.take(0)
  t.equal(bucket.wait(0), 10)
  rate = 1_000
  t.equal(bucket.wait(0), 1)
  rate = 2
  t.equal(bucket.wait(0), 500)
  t.equal(bucket.wait(500), 0)
  rate = Infinity
  t.same(
    times(50)
      .map(() => bucket.take(0))
      .filter(Boolean),
    [],
    'no limit, no wait',
  )
  rate = 100
  t.equal(bucket.wait(0), 10, 'what was taken without a limit is not owed')
})

t.test('what was taken in advance can be given back', async (t) => {
  const bucket = of(40)
  const dues = times(6).map(() => bucket.take(0))
  t.same(dues, [0, 0, 0, 0, 25, 50])
  bucket.giveBack(50)
  t.equal(bucket.wait(0), 50)
  bucket.giveBack(25)
  t.equal(bucket.wait(0), 25)
})

t.test('but not from before others, whose turns are fixed', async (t) => {
  const bucket = of(40)
  times(7).forEach(() => bucket.take(0))
  bucket.giveBack(25)
  bucket.giveBack(50)
  t.equal(bucket.wait(0), 100)
  bucket.giveBack(75)
  t.equal(bucket.wait(0), 75)
})

t.test('whoever gives back, and whenever: never more than the rate', async (t) => {
  for (const [seed, rate] of [
    [1, 4],
    [2, 50],
    [3, 200],
  ] as const) {
    const random = seededRandom(seed)
    const bucket = of(rate)
    const used: number[] = []
    let waiting: number[] = []
    for (let now = 0; now < 10_000; now += (random() * 1_000) / rate) {
      used.push(...waiting.filter((due) => due <= now))
      waiting = waiting.filter((due) => due > now)
      if (bucket.wait(now) <= 1_000) waiting.push(bucket.take(now))
      if (random() < 0.4) {
        const [leaver] = waiting.splice(random() * waiting.length, 1)
        if (leaver !== undefined) bucket.giveBack(leaver)
      }
    }
    const most = excess(used, rate)
    t.ok(most < 1e-6, `${used.length} at ${rate} a second: ${most.toFixed(3)} too many`)
    t.ok(most > -1, 'and as many as allowed')
  }
})
