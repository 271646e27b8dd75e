import { type Policy } from '../balancing/policy.ts'
import { type PoolHealth } from '../health/options.ts'
import { type StickyStrategy } from '../sticky/strategy.ts'
import { type PoolSource } from './feeds.ts'
import { type BackendSpec } from './membership.ts'
import { type OnLost } from './on-lost.ts'
import { type RebalanceOptions } from './rebalance-options.ts'
import { type RetryBudgetOptions } from './retry-budget.ts'
import { type SlowStartOptions } from './slow-start.ts'

/** What a pool is to be; everything in it may change at a reload. */
export interface PoolSpec {
  readonly name: string
  /** With a source: what the pool has so far. */
  readonly backends: readonly BackendSpec[]
  /** `undefined`: the list above is all there is. */
  readonly source: PoolSource | undefined
  readonly policy: Policy
  readonly sticky: readonly StickyStrategy[]
  /** `undefined`: clients whose backend cannot serve go elsewhere. */
  readonly onLost: OnLost | undefined
  /** `undefined`: no health loop, but for backends that have one of their own. */
  readonly health: PoolHealth | undefined
  /** `undefined`: not by itself. */
  readonly rebalance: RebalanceOptions | undefined
  /** `undefined`: no limit. */
  readonly retryBudget: RetryBudgetOptions | undefined
  /** `undefined`: who comes has all of its weight at once. */
  readonly slowStart: SlowStartOptions | undefined
}
