import t from 'tap'
import { random } from '../../lib/balancing/random.ts'
import { held, policyContract } from '../contract/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

policyContract(random)

/** Chi-square of what was seen against the weights. */
function chiSquare(weights: readonly number[], picks: number): number {
  const backends = weights.map((weight, index) => plainBackend(String(index), { weight }))
  const seen = held(random(), backends, picks)
  const total = weights.reduce((sum, weight) => sum + weight)
  return weights.reduce((sum, weight, index) => {
    const expected = (picks * weight) / total
    return sum + (seen[index]! - expected) ** 2 / expected
  }, 0)
}

t.test('random follows the weights (chi-square, p = 0.001)', async (t) => {
  t.ok(chiSquare([1, 1, 1, 1], 20_000) < 16.27, 'uniform, 3 degrees of freedom')
  t.ok(chiSquare([1, 2, 3, 4, 10], 20_000) < 18.47, 'weighted, 4 degrees of freedom')
  t.ok(chiSquare([0.1, 0.7, 100], 200_000) < 13.82, 'fractions, 2 degrees of freedom')
})

t.test('random does not look at load', async (t) => {
  const busy = plainBackend('busy')
  busy.load = 1_000_000
  const candidates = [busy, plainBackend('idle')]
  t.equal(
    random().pick(candidates, plainRequest(), () => 0.1),
    busy,
  )
})

t.test('random derives its table once for an array of candidates', async (t) => {
  let reads = 0
  const candidates = Array.from({ length: 50 }, (_, index) => plainBackend(`b${index}`))
  for (const backend of candidates) {
    const weight = 1 + (backend.id.length % 3)
    backend.settings = {
      ...backend.settings,
      get weight() {
        reads++
        return weight
      },
    }
  }
  const policy = random()
  const chance = seededRandom(3)
  policy.pick(candidates, plainRequest(), chance)
  const first = reads
  for (let turn = 0; turn < 1_000; turn++) policy.pick(candidates, plainRequest(), chance)
  t.ok(first > 0)
  t.equal(reads, first)
})
