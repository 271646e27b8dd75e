import { type Backend } from '../core/backend.ts'
import { type IncomingRequest } from '../core/request.ts'

/**
 * Finds the backend a client belongs to. A strategy is a value: write an object with a `find` next to
 * `lb.config.ts` and give it as `sticky`, alone or in a list, where the first that finds one decides.
 */
export interface StickyStrategy {
  /** For logs and `snapshot()`. */
  readonly name: string
  /**
   * @param backends the members of the pool by id, healthy or not. The map stays the same object while its members
   *   stay the same.
   * @returns the backend the client belongs to, or `undefined` when this strategy does not know
   */
  find(request: IncomingRequest, backends: ReadonlyMap<string, Backend>): Backend | undefined
  /**
   * Called when a backend has been chosen for the client, by this strategy or not.
   * @returns `Set-Cookie` values for the client; none when it has what it needs to be found again
   */
  remember?(request: IncomingRequest, backend: Backend): readonly string[]
  /** Name of a cookie that is ours and must not reach the backend. */
  readonly ownCookie?: string
}
