import t from 'tap'
import { p2c } from '../../lib/balancing/p2c.ts'
import { random } from '../../lib/balancing/random.ts'
import { held, policyContract } from '../contract/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

policyContract(p2c)

t.test('p2c compares two different backends: the most loaded one is never picked', async (t) => {
  const candidates = ['a', 'b', 'c'].map((id) => plainBackend(id))
  candidates[2]!.load = 50
  const chance = seededRandom(5)
  const seen = new Set(Array.from({ length: 2_000 }, () => p2c().pick(candidates, plainRequest(), chance).id))
  t.same([...seen].sort(), ['a', 'b'])
})

t.test('p2c draws every pair', async (t) => {
  const candidates = ['a', 'b', 'c', 'd'].map((id, load) => Object.assign(plainBackend(id), { load }))
  const chance = seededRandom(6)
  const wins: Record<string, number> = { a: 0, b: 0, c: 0, d: 0 }
  for (let turn = 0; turn < 6_000; turn++) wins[p2c().pick(candidates, plainRequest(), chance).id]!++
  // Of the six pairs a wins three, b two, c one, d none.
  for (const [id, share] of Object.entries({ a: 3_000, b: 2_000, c: 1_000, d: 0 })) {
    t.ok(Math.abs(wins[id]! - share) < 150, `${id} ${wins[id]}`)
  }
})

t.test('p2c is far more even than random', async (t) => {
  const spread = (policy: ReturnType<typeof p2c>) => {
    const loads = Object.values(
      held(
        policy,
        Array.from({ length: 100 }, (_, i) => plainBackend(`b${i}`)),
        10_000,
      ),
    )
    return Math.max(...loads) - Math.min(...loads)
  }
  t.ok(spread(p2c()) <= 8, `p2c ${spread(p2c())}`)
  t.ok(spread(random()) > 20, `random ${spread(random())}`)
})

t.test('p2c draws by weight: of ten idle ones it takes the one that has nearly all of it', async (t) => {
  const weights = [90, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  const candidates = weights.map((weight, index) => plainBackend(`b${index}`, { weight }))
  const chance = seededRandom(8)
  const wins = Array.from({ length: 2_000 }, () => p2c().pick(candidates, plainRequest(), chance)).filter(
    (backend) => backend === candidates[0],
  ).length
  t.ok(wins > 1_950, `${wins}`)
})
