import t from 'tap'
import { roundRobin } from '../../lib/balancing/round-robin.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { policyContract } from '../contract/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

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
