import { type IncomingRequest } from '../core/request.ts'
import { type AnswerHeaders } from './answer-observer.ts'

/** Where an application's own session id stands. Its functions may throw: then they know of no id. */
export interface LearnedRule {
  /** What is learned is kept under this name; pools keep theirs apart. */
  readonly name: string
  /** The id that a request carries. */
  id(request: IncomingRequest): string | undefined
  /**
   * Finds the id that the application hands out.
   * @param body the answer, decompressed, from its beginning as far as it has come: called until it gives an id
   * @returns one id, or several that all belong to the backend that answered
   */
  idFromAnswer?(body: string, request: IncomingRequest): string | readonly string[] | undefined
  /**
   * Whether the application may hand out an id to this request, one that carries none. The answers to all others pass
   * unseen, so the narrower it is, the less it costs.
   * @default every request without an id, if there is an `idFromAnswer`
   */
  opens?(request: IncomingRequest): boolean
  /** Whether an answer counts. @default status 200–299 */
  answers?(request: IncomingRequest, status: number, headers: AnswerHeaders): boolean
  /**
   * Whether an id that nobody knows is learned from the request that carries it, when the answer counts: it must be an
   * error then to come to the wrong backend.
   * @default if there is no `idFromAnswer`
   */
  readonly fromRequests?: boolean
  /** Bytes of an answer that are looked at. @default 16384 */
  readonly maxBody?: number
}
