import t from 'tap'
import { leastConnections } from '../../lib/balancing/least-connections.ts'
import { policyContract } from '../contract/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

policyContract(leastConnections)

function loaded(id: string, load: number, weight = 1) {
  return Object.assign(plainBackend(id, { weight }), { load })
}

t.test('least-connections takes the least loaded, read afresh each time', async (t) => {
  const candidates = [loaded('a', 3), loaded('b', 1), loaded('c', 2)]
  const pick = () => leastConnections().pick(candidates, plainRequest(), () => 0).id
  t.equal(pick(), 'b')
  candidates[1]!.load = 9
  t.equal(pick(), 'c')
})

t.test('least-connections weighs the load', async (t) => {
  const candidates = [loaded('light', 4, 1), loaded('heavy', 10, 4)]
  t.equal(leastConnections().pick(candidates, plainRequest(), () => 0).id, 'heavy')
})

t.test('least-connections gives an idle pool its heaviest backend first', async (t) => {
  t.equal(leastConnections().pick([loaded('a', 0, 1), loaded('b', 0, 2)], plainRequest(), () => 0).id, 'b')
})

t.test('least-connections breaks ties by chance, evenly', async (t) => {
  const candidates = [loaded('busy', 9), loaded('a', 1), loaded('b', 1), loaded('c', 1)]
  const seen: Record<string, number> = {}
  const chance = seededRandom(4)
  for (let turn = 0; turn < 3_000; turn++) {
    const { id } = leastConnections().pick(candidates, plainRequest(), chance)
    seen[id] = (seen[id] ?? 0) + 1
  }
  t.same(Object.keys(seen).sort(), ['a', 'b', 'c'])
  for (const [id, count] of Object.entries(seen)) t.ok(Math.abs(count - 1_000) < 120, `${id} ${count}`)
})
