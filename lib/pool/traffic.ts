import { type Backend } from '../core/backend.ts'
import { type Clock } from '../core/clock.ts'
import { isWslbError, messageOf } from '../core/errors.ts'
import { Outliers, type OutliersDependencies, type TunnelConduct } from '../health/outliers.ts'
import { isTrouble, isUnreachable } from './is-trouble.ts'
import { type Lease, type LeaseListener } from './lease.ts'
import { type PoolSpec } from './pool-spec.ts'
import { RetryBudget } from './retry-budget.ts'
import { Stricken } from './stricken.ts'

export interface TrafficDependencies extends OutliersDependencies {
  /** Health hears of trouble: refused, timed out, reset before a response byte. */
  readonly onTrouble: (backend: Backend, reason: string) => void
}

/** What the traffic of a pool tells of its backends, lease by lease: to health, to the outliers, to the budget of retries. */
export class Traffic implements LeaseListener {
  readonly outliers: Outliers
  readonly #retries: RetryBudget
  readonly #stricken = new Stricken()
  readonly #clock: Clock
  readonly #onTrouble: (backend: Backend, reason: string) => void

  constructor({ name, health, retryBudget }: PoolSpec, deps: TrafficDependencies) {
    this.outliers = new Outliers(name, health?.ejection || undefined, deps)
    this.#clock = deps.clock
    const failingShare = () => this.#stricken.share(deps.members(), deps.clock.now())
    this.#retries = new RetryBudget(retryBudget, deps.clock, failingShare)
    this.#onTrouble = deps.onTrouble
  }

  set options({ health, retryBudget }: PoolSpec) {
    this.outliers.options = health?.ejection || undefined
    this.#retries.options = retryBudget
  }

  /** Whether one more retry is within the budget. */
  get allowsRetry(): boolean {
    return this.#retries.allows
  }

  begin(isRetry: boolean): void {
    if (isRetry) this.#retries.begin()
    else this.#retries.deposit()
  }

  onAnswer({ backend, work, client, isRetry }: Lease, status: number): void {
    if (isRetry) this.#retries.end('answered')
    else this.#retries.settle()
    this.#stricken.answered(backend)
    this.outliers.answered(backend, work, status, client)
  }

  onRelease({ backend, work, client, isRetry, isAnswered }: Lease, error: unknown): void {
    const isItsFault = error != null && !(isWslbError(error) && error.blame !== 'backend')
    if (isRetry && !isAnswered) this.#retries.end(isItsFault ? 'inVain' : undefined)
    if (!isRetry && !isAnswered) this.#retries.settle()
    // Whoever forwards it himself does not tell of the answer.
    if (error == null && !isAnswered) {
      this.#stricken.answered(backend)
      this.outliers.served(backend, work)
    }
    if (!isItsFault) return
    backend.counters.failures++
    if (!isTrouble(error)) return
    const reason = messageOf(error)
    this.#onTrouble(backend, reason)
    this.#stricken.failed(backend, this.#clock.now())
    this.outliers.failed(backend, work, { reason, client, isUnreachable: isUnreachable(error) })
  }

  tunnelEnded(backend: Backend, conduct: TunnelConduct): void {
    this.outliers.tunnelEnded(backend, conduct)
  }
}
