import t from 'tap'
import { roundRobin } from '../../lib/balancing/round-robin.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { policyContract } from '../contract/policy.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

policyContract(roundRobin)

function turns(candidates: readonly Backend[], count: number, policy = roundRobin()): string {
  return Array.from({ length: count }, () => policy.pick(candidates, plainRequest(), () => 0).id).join('')
}

t.test('round-robin takes equals in turn', async (t) => {
  t.equal(
    turns(
      ['a', 'b', 'c'].map((id) => plainBackend(id)),
      7,
    ),
    'abcabca',
  )
})

t.test('round-robin spreads the turns of a heavy backend', async (t) => {
  const weights = { a: 5, b: 1, c: 1 }
  const candidates = Object.entries(weights).map(([id, weight]) => plainBackend(id, { weight }))
  t.equal(turns(candidates, 14), 'aaabcaaaaabcaa', 'the light ones come in the middle of each cycle')
})

t.test('round-robin goes on where it was when a candidate leaves and comes back', async (t) => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => plainBackend(id)) as [Backend, Backend, Backend]
  const policy = roundRobin()
  t.equal(turns([a, b, c], 1, policy), 'a')
  t.equal(turns([b, c], 2, policy), 'bc')
  const after = turns([a, b, c], 3, policy)
  t.equal([...after].sort().join(''), 'abc', after)
})

t.test('two round-robins share nothing', async (t) => {
  const candidates = ['a', 'b'].map((id) => plainBackend(id))
  t.equal(turns(candidates, 1) + turns(candidates, 1), 'aa')
})

t.test(
  'it begins anywhere: reloads and several balancers do not favour the first of the config',
  async (t) => {
    const chance = seededRandom(11)
    const pool = poolOf(
      { a: { weight: 5 }, b: {}, c: {} },
      { policy: roundRobin() },
      new ManualClock(),
      chance,
    )
    const seen: Record<string, number> = { a: 0, b: 0, c: 0 }
    for (let reload = 0; reload < 1_000; reload++) {
      for (let turn = 0; turn < 2; turn++) {
        const lease = pool.acquire(plainRequest())
        seen[lease.backend.id]!++
        lease.release()
      }
      pool.reconfigure({ ...pool.spec, policy: roundRobin() })
    }
    // 2000 turns by 5, 1, 1.
    for (const [id, share] of Object.entries({ a: 1_429, b: 286, c: 286 }))
      t.ok(Math.abs(seen[id]! - share) < 80, `${id} ${seen[id]}`)
  },
)

t.test('equals that are due at once come in the order of the config, from whoever is first', async (t) => {
  const candidates = ['a', 'b', 'c'].map((id) => plainBackend(id))
  const policy = roundRobin()
  const chances = [0.5, 0.7]
  const next = () => policy.pick(candidates, plainRequest(), () => chances.shift()!).id
  t.equal(Array.from({ length: 7 }, next).join(''), 'bcabcab')
})

t.test('shares are exact though the candidates are another array at each pick', async (t) => {
  const weights = [7, 11, 13, 49, 0.3]
  const total = weights.reduce((sum, weight) => sum + weight)
  const candidates = weights.map((weight) => plainBackend(String(weight), { weight }))
  const policy = roundRobin()
  const chance = seededRandom(12)
  const seen = new Map(candidates.map((backend) => [backend, 0]))
  for (let turn = 1; turn <= 40_000; turn++) {
    const backend = policy.pick([...candidates], plainRequest(), chance)
    seen.set(backend, seen.get(backend)! + 1)
  }
  for (const [{ id, weight }, count] of seen)
    t.ok(Math.abs(count - (40_000 * weight) / total) < 2.01, `${id} ${count}`)
})
