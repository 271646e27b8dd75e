import t from 'tap'
import { random } from '../../lib/balancing/random.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { DEFAULT_HEALTH } from '../../lib/health/options.ts'
import { type Probe } from '../../lib/health/probe.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

// What traffic fails in where every probe is well: a few of many requests, or all of one backend.

const answers: Probe = (_backend, { clock }) => new Promise((resolve) => clock.schedule(20, () => resolve()))
const late = () => new WslbError('WSLB_RESPONSE_TIMEOUT', 'no response head within 60 s')

const REQUEST_EVERY = 50
const MINUTE = 60_000

function six() {
  const clock = new ManualClock()
  const health = { ...DEFAULT_HEALTH, probe: answers }
  const backends = { a: {}, b: {}, c: {}, d: {}, e: {}, f: {} }
  const pool = poolOf(backends, { health, policy: random() }, clock, seededRandom(1))
  pool.start()
  t.teardown(() => pool.stop())
  return { clock, pool, backends: [...pool.backends.values()] as Backend[] }
}

const isUsable = ({ health, ejectedUntil }: Backend) => health === 'up' && ejectedUntil === undefined

t.test('one slow url among thousands of good answers takes nobody out of service', async (t) => {
  const { clock, pool, backends } = six()
  await clock.advance(2_000)
  let fewest = backends.length
  let failures = 0
  let failsAt = clock.now()
  for (let passed = 0; passed < 10 * MINUTE; passed += REQUEST_EVERY) {
    const lease = pool.acquire(plainRequest())
    lease.answer(200)
    lease.release()
    if (clock.now() >= failsAt) {
      failsAt += 15_000 / 8
      failures++
      pool.acquire(plainRequest()).release(late())
    }
    fewest = Math.min(fewest, backends.filter(isUsable).length)
    await clock.advance(REQUEST_EVERY)
    t.ok(backends.every(isUsable), 'the next probe has cleared it')
  }
  t.equal(failures, 320)
  t.equal(fewest, 5, 'suspect until its probe has answered, and nobody else')
})

t.test('one of which every request fails is ejected, however well its probe is', async (t) => {
  const { clock, pool, backends } = six()
  await clock.advance(2_000)
  let failures = 0
  for (let passed = 0; passed < 5 * MINUTE; passed += REQUEST_EVERY) {
    const clientAddress = `10.0.0.${(passed / REQUEST_EVERY) % 250}`
    const lease = pool.acquire(plainRequest({ clientAddress }))
    if (lease.backend === backends[0]) {
      failures++
      lease.release(late())
    } else {
      lease.answer(200)
      lease.release()
    }
    await clock.advance(REQUEST_EVERY)
    t.ok(backends.slice(1).every(isUsable))
  }
  t.ok(failures > 0 && failures <= 30, `${failures} of 6,000 requests: five for each time that it is back`)
})
