import { type Backend } from '../core/backend.ts'
import { type Random } from '../core/clock.ts'
import { type IncomingRequest } from '../core/request.ts'

/**
 * Chooses one of the candidates. A policy is a value: write an object with a `pick` next to `lb.config.ts`
 * and give it as `balance`.
 */
export interface Policy {
  /** For logs and `snapshot()`. */
  readonly name: string
  /**
   * @param candidates never empty, frozen; all of them may be chosen, and all have a weight above 0. The array stays the same object while its members
   *   and their weights stay the same, so a policy may keep what it derives from it (see `random.ts`).
   *   Load is not part of that: read it afresh, or keep it right by {@link loadChanged}.
   * @param random chance, a number in [0, 1)
   */
  pick(candidates: readonly Backend[], request: IncomingRequest, random: Random): Backend
  /**
   * The load of a backend has changed by one, whether or not it is a candidate now: a lease on it was taken or given back.
   * For policies that keep the loads in an order of their own. One that wraps another passes this on.
   */
  loadChanged?(backend: Backend): void
}
