import t from 'tap'
import { random } from '../../lib/balancing/random.ts'
import { type Backend } from '../../lib/core/backend.ts'
import { WslbError } from '../../lib/core/errors.ts'
import { RETRY_BUDGET_DEFAULTS } from '../../lib/pool/retry-budget.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'
import { seededRandom } from '../support/random.ts'

const REQUESTS = 3_000
const hung = () => new WslbError('WSLB_RESPONSE_TIMEOUT', 'no response head within 60 s')

/** So many requests wait for an answer, and a minute later all that went to a stricken backend fail in one moment. */
async function wave(isStricken: (backend: Backend) => boolean, { hadAnswers = true } = {}) {
  const clock = new ManualClock()
  const backends = { a: {}, b: {}, c: {}, d: {} }
  const retryBudget = RETRY_BUDGET_DEFAULTS
  const pool = poolOf(backends, { retryBudget, policy: random() }, clock, seededRandom(1))
  const leases = Array.from({ length: REQUESTS }, () => pool.acquire(plainRequest()))
  await clock.advance(60_000)
  // A retry that was answered shortly before says nothing of what is to come.
  if (hadAnswers) pool.acquire(plainRequest(), new Set([leases[0]!.backend])).answer(200)
  for (const lease of leases) if (!isStricken(lease.backend)) lease.answer(200)
  const failed = leases.filter(({ backend }) => isStricken(backend))
  let retries = 0
  for (const lease of failed) {
    lease.release(hung())
    if (!pool.allowsRetry) continue
    retries++
    pool.acquire(plainRequest(), new Set([lease.backend]))
  }
  return { failed: failed.length, retries }
}

t.test('a black hole: the first wave is held to the share, before a retry has ended', async (t) => {
  for (const hadAnswers of [true, false]) {
    const { failed, retries } = await wave(() => true, { hadAnswers })
    t.equal(failed, REQUESTS)
    t.comment(`${retries} retries`)
    t.ok(retries <= 0.5 * REQUESTS + 101 && retries > 0.3 * REQUESTS, `${retries} retries of ${REQUESTS}`)
  }
})

t.test('one of four hangs: all of its requests are tried again', async (t) => {
  const { failed, retries } = await wave(({ id }) => id === 'a')
  t.ok(failed > REQUESTS / 5)
  t.equal(retries, failed)
})
