import t from 'tap'
import { leastConnections } from '../../lib/balancing/least-connections.ts'
import { leastTime } from '../../lib/balancing/least-time.ts'
import { p2c } from '../../lib/balancing/p2c.ts'
import { type Policy } from '../../lib/balancing/policy.ts'
import { random } from '../../lib/balancing/random.ts'
import { roundRobin } from '../../lib/balancing/round-robin.ts'
import { ManualClock } from '../support/clock.ts'
import { plainBackend, plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

const request = plainRequest()
const BACKENDS = 20
const TUNNELS = 10_000

/**
 * Ten thousand tunnels come to twenty backends, one a millisecond, and stay for Pareto times: half are gone within a second, some
 * never go (shape 1.1, from half a second on). The real pool and its leases.
 * @returns the most loaded backend by the mean, on average over the second half
 */
async function worstByMean(policy: Policy, seed: number): Promise<number> {
  const clock = new ManualClock()
  const chance = seededRandom(seed)
  const backends = Object.fromEntries(Array.from({ length: BACKENDS }, (_, index) => [`b${index}`, {}]))
  const pool = poolOf(backends, { policy }, clock, seededRandom(seed + 1))
  const members = [...pool.backends.values()]
  const worst = () => {
    const loads = members.map(({ load }) => load)
    return (Math.max(...loads) * BACKENDS) / loads.reduce((sum, load) => sum + load)
  }
  const ends: { at: number; release: () => void }[] = []
  let sum = 0
  let samples = 0
  for (let now = 0; now < TUNNELS; now++) {
    const lease = pool.acquire(request)
    // All take the same time: what is left is load.
    if (policy.name === 'least-time') lease.backend.handshakeTime.observe(5)
    ends.push({ at: now + 500 / (1 - chance()) ** (1 / 1.1), release: () => lease.release() })
    if (now % 100 !== 0) continue
    if (now >= TUNNELS / 2) {
      sum += worst()
      samples++
    }
    await clock.advance(100)
    for (const end of ends.splice(0)) {
      if (end.at <= now) end.release()
      else ends.push(end)
    }
  }
  for (const { release } of ends) release()
  return sum / samples
}

const SEEDS = [1, 2, 3]

async function averageOf(make: () => Policy): Promise<number> {
  const results = await Promise.all(SEEDS.map((seed) => worstByMean(make(), seed)))
  return results.reduce((sum, average) => sum + average) / SEEDS.length
}

t.test('worst by mean with tunnels of skewed lifetimes', async (t) => {
  const figures = {
    random: await averageOf(random),
    'round-robin': await averageOf(roundRobin),
    'least-connections': await averageOf(leastConnections),
    p2c: await averageOf(p2c),
    'least-time': await averageOf(leastTime),
  }
  t.comment(JSON.stringify(figures))
  // Some 150 tunnels a backend: of twenty Poisson numbers of that mean the greatest is some 20 % above it.
  t.ok(figures.random > 1.12 && figures.random < 1.3)
  // Even arrivals, but who leaves is not even.
  t.ok(figures['round-robin'] > 1.06)
  // Two choices are off by a few tunnels, however many there are (ln ln n / ln 2, and a constant): 3 of 150, with room.
  t.ok(figures.p2c < 1.04)
  t.ok(figures['least-time'] < 1.04, 'where all take the same time it is p2c')
  // Off by one, until the next hundred have left.
  t.ok(figures['least-connections'] < 1.015)
})

/** Chi-square of what was picked against the weights. */
function chiSquare(policy: Policy, weights: readonly number[], picks: number, seed: number): number {
  const candidates = weights.map((weight, index) => plainBackend(String(index), { weight }))
  const chance = seededRandom(seed)
  const seen = weights.map(() => 0)
  for (let pick = 0; pick < picks; pick++) seen[Number(policy.pick(candidates, request, chance).id)]!++
  const total = weights.reduce((sum, weight) => sum + weight)
  return weights.reduce((sum, weight, index) => {
    const expected = (picks * weight) / total
    return sum + (seen[index]! - expected) ** 2 / expected
  }, 0)
}

t.test('random follows the weights over a thousand backends (chi-square, p = 0.001)', async (t) => {
  // 999 degrees of freedom: 1142.8.
  t.ok(chiSquare(random(), new Array<number>(1_000).fill(1), 100_000, 5) < 1_142.8, 'equal')
  const weights = Array.from({ length: 1_000 }, (_, index) => 1 + (index % 7))
  t.ok(chiSquare(random(), weights, 400_000, 6) < 1_142.8, 'weighted')
})

t.test('round-robin is exact: over each cycle everybody has as many turns as its weight', async (t) => {
  const weights = [1, 2, 3, 5, 7, 11]
  const cycle = weights.reduce((sum, weight) => sum + weight)
  const candidates = weights.map((weight) => plainBackend(String(weight), { weight }))
  const policy = roundRobin()
  const turns = Array.from({ length: cycle * 300 }, () => policy.pick(candidates, request, Math.random).id)
  for (let start = 0; start < turns.length; start += cycle) {
    const seen = turns.slice(start, start + cycle)
    const counts = weights.map((weight) => seen.filter((id) => id === String(weight)).length)
    if (counts.join() !== weights.join()) return t.fail(`cycle ${start / cycle}: ${counts.join()}`)
  }
  t.pass('300 cycles')
})

t.test('round-robin is never more than one turn away from the share, fractions included', async (t) => {
  const weights = [0.1, 0.3, 0.6, 1]
  const candidates = weights.map((weight) => plainBackend(String(weight), { weight }))
  const policy = roundRobin()
  const seen = new Map(candidates.map((backend) => [backend, 0]))
  let furthest = 0
  for (let turn = 1; turn <= 20_000; turn++) {
    const backend = policy.pick(candidates, request, () => 0)
    seen.set(backend, seen.get(backend)! + 1)
    for (const [{ weight }, count] of seen)
      furthest = Math.max(furthest, Math.abs(count - (turn * weight) / 2))
  }
  t.ok(furthest < 1.001, `${furthest}`)
})
