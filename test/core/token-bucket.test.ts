import t from 'tap'
import { TokenBucket } from '../../lib/core/token-bucket.ts'
import { seededRandom } from '../support/random.ts'

const of = (rate: number) => new TokenBucket(() => rate)
const times = (count: number) => Array.from({ length: count })

t.test("a second's worth is there at once, then one after the other", async (t) => {
  for (const rate of [1, 3, 7, 200, 1_000]) {
    const bucket = of(rate)
    const waits = times(2 * rate).map(() => bucket.take(5))
    t.ok(
      waits.slice(0, rate).every((wait) => wait === 0),
      `${rate} at once`,
    )
    const expected = times(rate).map((_, index) => ((index + 1) * 1_000) / rate)
    t.ok(
      waits.slice(rate).every((wait, index) => Math.abs(wait - expected[index]!) < 1e-6),
      `then each ${1_000 / rate} ms`,
    )
  }
})

t.test('asking takes nothing', async (t) => {
  const bucket = of(1)
  t.same([bucket.wait(0), bucket.wait(0), bucket.take(0), bucket.wait(0)], [0, 0, 0, 1_000])
  t.equal(bucket.wait(400), 600)
})

t.test('it fills up again, and not beyond its size', async (t) => {
  const bucket = of(10)
  for (let i = 0; i < 10; i++) bucket.take(0)
  const free = (now: number) => {
    let count = 0
    while (bucket.wait(now) === 0) {
      bucket.take(now)
      count++
    }
    return count
  }
  t.equal(free(500), 5)
  t.equal(free(1_500), 10)
  t.equal(free(1_000_000), 10)
})

t.test('at random moments: never more than the rate, and never less than there was room for', async (t) => {
  for (const [seed, rate, maxWait] of [
    [1, 1, 0],
    [2, 10, 0],
    [3, 50, 0],
    [4, 50, 1_000],
    [5, 7, 300],
  ] as const) {
    const random = seededRandom(seed)
    const bucket = of(rate)
    const due: number[] = []
    // The same in the words of the textbook, for those that do not wait.
    let tokens: number = rate
    let before = 0
    let now = 0
    for (let arrival = 0; arrival < 3_000; arrival++) {
      // Crowds and lulls: on average twice what is allowed.
      now += random() < 0.01 ? 2_000 * random() : (random() * 1_000) / (2 * rate)
      tokens = Math.min(rate, tokens + ((now - before) * rate) / 1_000)
      before = now
      const wait = bucket.wait(now)
      if (maxWait === 0) {
        if (Math.abs(tokens - 1) > 1e-6 && (wait === 0) !== tokens >= 1)
          t.fail(`${tokens} tokens, ${wait} ms`)
        if (wait === 0) tokens--
      }
      if (wait <= maxWait) due.push(now + bucket.take(now))
    }
    let most = -Infinity
    for (let first = 0; first < due.length; first++) {
      for (let last = first; last < due.length; last++) {
        const allowed = rate * ((due[last]! - due[first]!) / 1_000 + 1)
        most = Math.max(most, last - first + 1 - allowed)
      }
    }
    t.ok(most < 1e-6, `${due.length} at ${rate} a second: ${most.toFixed(3)} too many`)
    t.ok(most > -1, 'and as many as allowed')
  }
})

t.test('the rate may change: what is left of a second stays the same part of it', async (t) => {
  let rate = 10
  const bucket = new TokenBucket(() => rate)
  for (let i = 0; i < 10; i++) bucket.take(0)
  t.equal(bucket.wait(0), 100)
  rate = 100
  t.equal(bucket.wait(0), 10)
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
  rate = 10
  t.equal(bucket.wait(0), 100, 'what was taken without a limit is not owed')
})

t.test('what was taken in advance can be given back', async (t) => {
  const bucket = of(4)
  const waits = times(6).map(() => bucket.take(0))
  t.same(waits, [0, 0, 0, 0, 250, 500])
  bucket.giveBack()
  t.equal(bucket.wait(0), 500)
})
