import { type Backend } from '../core/backend.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type AnswerObserver } from './answer-observer.ts'
import { type MemoryLimits, type StickyMemory } from './memory.ts'

/**
 * Finds the backend a client belongs to. A strategy is a value: write an object with a `find` next to
 * `lb.config.ts` and give it as `sticky`, alone or in a list, where the first that finds one decides.
 */
export interface StickyStrategy {
  /** For logs and `snapshot()`; and what the pool keeps for it across reloads is kept under this name. */
  readonly name: string
  /**
   * @param backends the members of the pool by id, healthy or not. The map stays the same object while its members
   *   stay the same.
   * @param memory what this strategy has put there, in this pool: a reload forgets nothing while the pool has a strategy
   *   of this name; a backend that leaves is forgotten
   * @returns the backend the client belongs to, or `undefined` when this strategy does not know
   */
  find(
    request: IncomingRequest,
    backends: ReadonlyMap<string, Backend>,
    memory: StickyMemory,
  ): Backend | undefined
  /**
   * Called when the backend that {@link find} has found cannot serve, or it found none, and no other strategy knows one
   * that can: where the client goes meanwhile.
   * @param candidates never empty, frozen; the same array while nothing has changed
   * @returns one of the candidates, or `undefined` to leave it to the next strategy, and then to the policy
   */
  failover?(request: IncomingRequest, candidates: readonly Backend[]): Backend | undefined
  /**
   * Called when a backend has been chosen for the client, by this strategy or not.
   * @returns `Set-Cookie` values for the client; none when it has what it needs to be found again
   */
  remember?(request: IncomingRequest, backend: Backend): readonly string[]
  /**
   * Called before an HTTP request goes to its backend, not for upgrades: asks to see the answer. What it throws is
   * ignored.
   * @returns who is shown the answer, before the client is; `undefined` for nearly all requests, which then cost nothing
   */
  observe?(request: IncomingRequest, backend: Backend, memory: StickyMemory): AnswerObserver | undefined
  /** Bounds of its memory. @default 100,000 ids, one hour */
  readonly memory?: MemoryLimits
  /** Name of a cookie that is ours and must not reach the backend. */
  readonly ownCookie?: string
}
