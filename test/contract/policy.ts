import t from 'tap'
import { type Backend } from '../../lib/core/backend.ts'
import { type Random } from '../../lib/core/clock.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { seededRandom } from '../support/random.ts'

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
    const policy = make()
    for (let turn = 0; turn < 3; turn++) t.equal(take(policy, [only], seededRandom(1)), only)
  })

  t.test('it copes with candidates, loads and weights that come and go', async (t) => {
    const all = Array.from({ length: 8 }, (_, index) =>
      plainBackend(`b${index}`, { weight: 1 + (index % 3) }),
    )
    const policy = make()
    const chance = seededRandom(2)
    const held: Backend[] = []
    let candidates = all
    for (let turn = 0; turn < 3_000; turn++) {
      // Every third turn the candidates are others, as an array that has never been seen.
      if (turn % 3 === 0) candidates = all.filter(() => chance() < 0.4)
      if (turn % 30 === 0) for (const backend of all) backend.ramp = 0.1 + 0.9 * chance()
      if (candidates.length === 0) candidates = [all[turn % 8]!]
      const picked = take(policy, candidates, chance)
      if (!candidates.includes(picked)) return t.fail(`turn ${turn}: ${picked.id} is no candidate`)
      held.push(picked)
      // Of those that are no candidates as well.
      if (chance() < 0.9) giveBack(policy, held.splice(Math.floor(chance() * held.length), 1)[0]!)
    }
    t.pass('3000 turns')
  })

  t.test('one array of candidates goes on after another was asked for, as in a retry', async (t) => {
    const candidates = ['a', 'b', 'c', 'd'].map((id) => plainBackend(id))
    const policy = make()
    const chance = seededRandom(3)
    for (let turn = 0; turn < 400; turn++) {
      const first = take(policy, candidates, chance)
      const rest = candidates.filter((backend) => backend !== first)
      const second = take(policy, rest, chance)
      if (second === first) return t.fail(`turn ${turn}: ${first.id} again`)
    }
    for (const { id, load } of candidates) t.ok(load > 50, `${id} ${load}`)
  })

  t.test('clients that stay spread by weight', async (t) => {
    const candidates = [1, 2, 5].map((weight) => plainBackend(`w${weight}`, { weight }))
    const { w1 = 0, w2 = 0, w5 = 0 } = held(make(), candidates, 8_000)
    t.ok(Math.abs(w1 - 1_000) < 150, `w1 ${w1}`)
    t.ok(Math.abs(w2 - 2_000) < 200, `w2 ${w2}`)
    t.ok(Math.abs(w5 - 5_000) < 250, `w5 ${w5}`)
  })

  t.test('one that has most of the weight gets most of the clients', async (t) => {
    for (const weights of [
      [1, 1, 1, 5],
      [90, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ]) {
      const candidates = weights.map((weight, index) => plainBackend(`b${index}`, { weight }))
      const total = weights.reduce((sum, weight) => sum + weight)
      const loads = held(make(), candidates, 200 * total)
      for (const { id, weight } of candidates) {
        // Above four sigma of chance alone.
        const off = Math.abs(loads[id]! - 200 * weight)
        t.ok(off < 70 * Math.sqrt(weight), `${id} of ${weights.join()}: ${loads[id]}`)
      }
    }
  })

  t.test('a weight that changes, with the array, changes the shares', async (t) => {
    const backends = ['a', 'b'].map((id) => plainBackend(id))
    const policy = make()
    held(policy, backends, 1_000)
    for (const backend of backends) setLoad(policy, backend, 0)
    backends[0]!.ramp = 0.25
    const { a = 0, b = 0 } = held(policy, [...backends], 5_000)
    t.ok(Math.abs(a - 1_000) < 150, `a ${a}, b ${b}`)
  })

  t.test('ten thousand candidates are all in use, and nobody is flooded', async (t) => {
    const candidates = Array.from({ length: 10_000 }, (_, index) => plainBackend(`b${index}`))
    held(make(), candidates, 40_000)
    const loads = candidates.map(({ load }) => load)
    t.ok(loads.filter((load) => load > 0).length > 9_700)
    // By chance alone, of ten thousand with a mean of 4, above 20 is one in a million runs.
    t.ok(Math.max(...loads) <= 20, `${Math.max(...loads)}`)
  })

  t.test('the same chance, the same picks', async (t) => {
    const picks = () => {
      const candidates = [1, 1, 2, 3].map((weight, index) => plainBackend(`b${index}`, { weight }))
      const policy = make()
      const chance = seededRandom(7)
      return Array.from({ length: 200 }, () => take(policy, candidates, chance).id)
    }
    t.same(picks(), picks())
  })

  t.test('it has a name for logs', async (t) => t.match(make().name, /^[a-z0-9-]+$/))
}

/** As the pool does it: whoever is picked has one client more, and the policy hears of it. */
export function take(policy: Policy, candidates: readonly Backend[], chance: Random): Backend {
  const backend = policy.pick(candidates, request, chance)
  setLoad(policy, backend, backend.load + 1)
  return backend
}

export function giveBack(policy: Policy, backend: Backend): void {
  setLoad(policy, backend, backend.load - 1)
}

function setLoad(policy: Policy, backend: Backend, load: number): void {
  backend.load = load
  policy.loadChanged?.(backend)
}

/** Clients by backend after so many have come and none has left. */
export function held(
  policy: Policy,
  candidates: readonly Backend[],
  clients: number,
): Record<string, number> {
  const chance = seededRandom(clients)
  for (let client = 0; client < clients; client++) take(policy, candidates, chance)
  return Object.fromEntries(candidates.map(({ id, load }) => [id, load]))
}
