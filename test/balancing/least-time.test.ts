import t from 'tap'
import { leastTime } from '../../lib/balancing/least-time.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { policyContract, take } from '../contract/policy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

policyContract(leastTime)

function pool(clock: ManualClock, times: Record<string, number | undefined>, load = 0): Backend[] {
  return Object.entries(times).map(([id, time]) => {
    const backend = Object.assign(plainBackend(id, {}, clock), { load })
    if (time !== undefined) backend.handshakeTime.observe(time)
    return backend
  })
}

function picks(candidates: readonly Backend[], count = 3_000): Record<string, number> {
  const seen = Object.fromEntries(candidates.map(({ id }) => [id, 0]))
  const chance = seededRandom(11)
  const policy = leastTime()
  for (let turn = 0; turn < count; turn++) seen[policy.pick(candidates, plainRequest(), chance).id]!++
  return seen
}

t.test('of equal load the faster one wins, and twice as slow is worth twice the load', async (t) => {
  const clock = new ManualClock()
  t.match(picks(pool(clock, { fast: 10, slow: 20 })), { fast: 3_000, slow: 0 })
  const candidates = pool(clock, { fast: 10, slow: 20 })
  const chance = seededRandom(1)
  const policy = leastTime()
  for (let client = 0; client < 3_000; client++) take(policy, candidates, chance)
  t.same(
    candidates.map(({ load }) => load),
    [2_000, 1_000],
  )
})

t.test('less than a millisecond is no difference', async (t) => {
  const seen = picks(pool(new ManualClock(), { a: 0.1, b: 0.9 }))
  t.ok(Math.abs(seen.a! - 1_500) < 120, `${seen.a}`)
})

t.test('a newcomer without figures is neither flooded nor starved', async (t) => {
  const clock = new ManualClock()
  const candidates = pool(clock, { a: 5, b: 5, c: 5, d: 5, fresh: undefined }, 100)
  // Of two drawn from five it is there in two fifths of all cases, and wins some half of them.
  const equal = picks(candidates).fresh! / 3_000
  t.ok(equal > 0.15 && equal < 0.25, `${equal}`)
  candidates[4]!.load = 0
  const empty = picks(candidates).fresh! / 3_000
  t.ok(Math.abs(empty - 0.4) < 0.04, `not more than it is drawn for: ${empty}`)
})

t.test('one that was slow once is tried again', async (t) => {
  const clock = new ManualClock()
  const candidates = pool(clock, { a: 5, b: 5, slow: 2_000 }, 10)
  const renew = () => candidates.slice(0, 2).forEach(({ handshakeTime }) => handshakeTime.observe(5))
  t.equal(picks(candidates).slow, 0)
  await clock.advance(60_000)
  renew()
  t.ok(picks(candidates).slow! > 600)
  candidates[2]!.handshakeTime.observe(2_000)
  t.equal(picks(candidates).slow, 0, 'and left alone again when it is slow still')
  candidates[2]!.handshakeTime.observe(5)
  await clock.advance(40_000)
  renew()
  candidates[2]!.handshakeTime.observe(5)
  // The peak has come down to 42 ms, eight times what the others take; they have eleven times the load.
  candidates[2]!.load = 0
  t.ok(picks(candidates).slow! > 0)
})
