import t from 'tap'
import { WslbError } from '../../lib/core/errors.ts'
import { RetryBudget, type RetryBudgetOptions } from '../../lib/pool/retry-budget.ts'
import { ManualClock } from '../support/clock.ts'
import { plainRequest } from '../support/plain.ts'
import { poolOf } from '../support/pool.ts'

function budgetOf(options: Partial<RetryBudgetOptions> = {}, failingShare = () => 0) {
  const clock = new ManualClock()
  const defaults = { share: 0.5, minPerSecond: 0, window: 10_000 }
  return { clock, budget: new RetryBudget({ ...defaults, ...options }, clock, failingShare) }
}

function times(count: number, what: () => void): void {
  for (let i = 0; i < count; i++) what()
}

/** Retries that are let through, one after the other, all of them in vain. @returns how many */
function retriesInVain(budget: RetryBudget, wanted: number): number {
  let allowed = 0
  for (; allowed < wanted && budget.allows; allowed++) {
    budget.begin()
    budget.end('inVain')
  }
  return allowed
}

t.test('in vain: a share of the requests, and some a second whatever they are', async (t) => {
  const { budget } = budgetOf()
  times(100, () => budget.deposit())
  t.equal(retriesInVain(budget, 100), 50)

  const { budget: quiet } = budgetOf({ share: 0, minPerSecond: 3 })
  t.equal(retriesInVain(quiet, 100), 30, 'those of a whole window at once')
})

t.test('what was counted lapses with the window', async (t) => {
  const { budget, clock } = budgetOf()
  times(100, () => budget.deposit())
  retriesInVain(budget, 100)
  await clock.advance(9_000)
  times(10, () => budget.deposit())
  t.equal(retriesInVain(budget, 100), 5, 'ten requests more, five retries more')
  await clock.advance(1_000)
  t.equal(budget.allows, false, 'nor are the requests remembered that paid for them')
  await clock.advance(9_000)
  times(10, () => budget.deposit())
  t.equal(retriesInVain(budget, 100), 5)
})

t.test('a retry that is answered costs nothing: all clients of one backend may go elsewhere', async (t) => {
  const { budget } = budgetOf({ share: 0.1 })
  times(1_000, () => {
    budget.deposit()
    t.ok(budget.allows)
    budget.begin()
  })
  times(1_000, () => budget.end('answered'))
  t.ok(budget.allows)
})

t.test('nor does a handshake that took longer to fail than the window is', async (t) => {
  const { budget, clock } = budgetOf()
  times(1_000, () => budget.deposit())
  await clock.advance(10_000)
  budget.begin()
  budget.end('answered')
  t.ok(budget.allows)
})

t.test('once retries fail, those under way count too', async (t) => {
  const { budget } = budgetOf()
  times(20, () => budget.deposit())
  times(12, () => budget.begin())
  t.ok(budget.allows, 'nothing is known yet')
  budget.end('inVain')
  t.equal(budget.allows, false, 'the eleven others will fail as well')
  times(3, () => budget.end('answered'))
  t.ok(budget.allows, 'a quarter of the eight others will')
})

t.test('before one has ended, as many under way count as there are backends that fail', async (t) => {
  for (const [failing, most] of [
    [0, 1_000],
    [1 / 3, 1_000],
    [1, 500],
  ] as const) {
    const { budget, clock } = budgetOf({}, () => failing)
    times(1_000, () => budget.deposit())
    // They hung for longer than the window.
    await clock.advance(60_000)
    let allowed = 0
    times(1_000, () => {
      budget.settle()
      if (!budget.allows) return
      budget.begin()
      allowed++
    })
    t.ok(Math.abs(allowed - most) <= 1, `${allowed} retries where ${failing} of the backends fail`)
  }
})

t.test('who leaves says nothing', async (t) => {
  const { budget } = budgetOf()
  times(2, () => budget.deposit())
  times(50, () => {
    budget.begin()
    budget.end(undefined)
  })
  t.equal(retriesInVain(budget, 10), 1)
})

t.test('no budget, no limit; a reload keeps what was counted', async (t) => {
  const { budget } = budgetOf()
  times(10, () => budget.deposit())
  t.equal(retriesInVain(budget, 100), 5)
  budget.options = { share: 0.6, minPerSecond: 0, window: 10_000 }
  t.equal(retriesInVain(budget, 100), 1)
  budget.options = undefined
  t.equal(retriesInVain(budget, 100), 100)
})

t.test('a pool counts what its leases tell', async (t) => {
  const retryBudget = { share: 1, minPerSecond: 0, window: 10_000 }
  const pool = poolOf({ a: {}, b: {}, c: {} }, { retryBudget })
  const [a] = pool.backends.values()
  const failure = new WslbError('WSLB_CONNECT_FAILED', 'refused')
  pool.acquire(plainRequest()).release(failure)
  t.ok(pool.allowsRetry)
  const retry = pool.acquire(plainRequest(), new Set([a!]))
  t.match(retry, { isRetry: true, backend: { id: 'b' } })
  retry.release(failure)
  t.equal(pool.allowsRetry, false)

  pool.acquire(plainRequest())
  t.ok(pool.allowsRetry, 'another request, another retry')
  const cut = pool.acquire(plainRequest(), new Set([a!]))
  cut.answer(200)
  cut.release(new WslbError('WSLB_RESPONSE_CUT', 'cut'))
  t.ok(pool.allowsRetry, 'it was answered')
  const left = pool.acquire(plainRequest(), new Set([a!]))
  left.release(new WslbError('WSLB_CLIENT_GONE', 'gone'))
  t.ok(pool.allowsRetry)
})
