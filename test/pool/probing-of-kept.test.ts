import t from 'tap'
import { DEFAULT_HEALTH, type PoolHealth } from '../../lib/health/options.ts'
import { type Probe } from '../../lib/health/probe.ts'
import { ManualClock } from '../support/clock.ts'
import { poolOf, spec } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

const SECONDS = 120

/** A pool with a dead backend, one that is watched otherwise, and a list that changes every second. */
async function churning(healthOf: () => PoolHealth) {
  const clock = new ManualClock()
  const asked = { dead: 0, own: 0 }
  const listed = (others: Record<string, object>) => {
    const made = spec({ dead: {}, own: {}, ...others }, { health: healthOf() })
    const backends = made.backends.map((one) => (one.id === 'own' ? { ...one, health: { rise: 2 } } : one))
    return { ...made, backends }
  }
  const pool = poolOf({}, {}, clock, seededRandom(1))
  pool.reconfigure(listed({}))
  pool.start()
  t.teardown(() => pool.stop())
  await clock.advance(5_000)
  t.equal(pool.backends.get('dead')!.health, 'down')
  const results = [...pool.backends.values()].map((backend) => ({ backend, at: 0 }))
  for (let second = 0; second < SECONDS; second++) {
    pool.reconfigure(listed({ [`other${second}`]: {} }))
    await clock.advance(1_000)
    for (const result of results) {
      const at = result.backend.lastProbe?.at ?? 0
      if (at !== result.at) asked[result.backend.id as 'dead' | 'own']++
      result.at = at
    }
  }
  return asked
}

const fails: Probe = () => Promise.reject(new Error('refused'))
const rare = { ...DEFAULT_HEALTH, debounce: 0, interval: { up: 1_000, down: 60_000 } }

t.test('a list that changes has nobody probed who is in it before and after', async (t) => {
  const asked = await churning(() => ({ ...rare, probe: fails }))
  t.ok(asked.dead <= 4 && asked.own <= 4, `${asked.dead} and ${asked.own} probes in ${SECONDS} s`)
})

t.test('a probe that may be another is tried soon', async (t) => {
  const asked = await churning(() => ({ ...rare, probe: (...given) => fails(...given) }))
  t.ok(asked.dead > SECONDS / 4 && asked.own > SECONDS / 4, `${asked.dead} and ${asked.own} probes`)
})
