import t from 'tap'
import { type Policy } from '../../lib/balancing/policy.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { seededRandom } from '../support/random.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'

const request = plainRequest()

/** What every policy promises. */
export function policyContract(make: () => Policy): void {
  t.test('it picks a candidate, whatever chance says', async (t) => {
    const candidates = ['a', 'b', 'c'].map((id) => plainBackend(id))
    const policy = make()
    for (const chance of [0, 0.25, 0.5, 0.75, 1 - Number.EPSILON / 2]) {
      t.ok(candidates.includes(policy.pick(candidates, request, () => chance)), `chance ${chance}`)
    }
  })

  t.test('it picks the only candidate', async (t) => {
    const only = plainBackend('only', { weight: 0.5 })
    t.equal(make().pick([only], request, seededRandom(1)), only)
  })

  t.test('it copes with candidates that come and go', async (t) => {
    const all = Array.from({ length: 8 }, (_, index) =>
      plainBackend(`b${index}`, { weight: 1 + (index % 3) }),
    )
    const policy = make()
    const chance = seededRandom(2)
    for (let turn = 0; turn < 2_000; turn++) {
      const candidates = all.filter(() => chance() < 0.4)
      if (candidates.length === 0) continue
      const picked = policy.pick(candidates, request, chance)
      if (!candidates.includes(picked)) return t.fail(`turn ${turn}: ${picked.id} is no candidate`)
    }
    t.pass('2000 turns')
  })

  t.test('clients that stay spread by weight', async (t) => {
    const candidates = [1, 2, 5].map((weight) => plainBackend(`w${weight}`, { weight }))
    const { w1 = 0, w2 = 0, w5 = 0 } = held(make(), candidates, 8_000)
    t.ok(Math.abs(w1 - 1_000) < 150, `w1 ${w1}`)
    t.ok(Math.abs(w2 - 2_000) < 200, `w2 ${w2}`)
    t.ok(Math.abs(w5 - 5_000) < 250, `w5 ${w5}`)
  })

  t.test('it has a name for logs', async (t) => t.match(make().name, /^[a-z0-9-]+$/))
}

/** Clients by backend after so many have come and none has left. */
export function held(
  policy: Policy,
  candidates: readonly Backend[],
  clients: number,
): Record<string, number> {
  const chance = seededRandom(clients)
  for (let client = 0; client < clients; client++) policy.pick(candidates, request, chance).load++
  return Object.fromEntries(candidates.map(({ id, load }) => [id, load]))
}
