import { type Backend } from '../core/backend.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Controls } from './controls.ts'
import { type MessageHook, type MessageHookOptions } from './message-hook.ts'

/** An answer given by a hook instead of by a backend: a refusal, a redirect, a page. */
export interface HookAnswer {
  /** 200–599; a redirect is a 3xx with a `location` header. */
  readonly status: number
  /** Several values make several fields; how the body is framed is added. @default none */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** @default empty */
  readonly body?: string | Uint8Array
}

export interface HookContext {
  /** Aborts when the client leaves or the hook's time is up. */
  readonly signal: AbortSignal
  /** Drains and restores backends, rebalances pools, closes tunnels. */
  readonly balancer: Controls
}

/**
 * Runs before a backend is chosen. Return nothing to go on, or a {@link HookAnswer} to answer.
 * A throw answers 500, or the `status` of what was thrown when that is 400–599.
 */
export type Hook = (
  request: IncomingRequest,
  context: HookContext,
) => HookAnswer | void | Promise<HookAnswer | void>

/** A backend as {@link SelectHook} sees it: to be read. */
export type Candidate = Readonly<
  Pick<Backend, 'id' | 'pool' | 'load' | 'tunnels' | 'weight' | 'health' | 'adminState'>
> & {
  readonly url: Readonly<URL>
  readonly settings: Readonly<Backend['settings']>
}

export interface SelectContext {
  /** Name of the pool. */
  readonly pool: string
  /** The candidate that the client is tied to by stickiness, if it is tied to one. */
  readonly owner: Candidate | undefined
  /** Aborts when the client leaves or the hook's time is up. */
  readonly signal: AbortSignal
  /** Drains and restores backends, rebalances pools, closes tunnels. */
  readonly balancer: Controls
}

/**
 * Decides who gets a request, before stickiness and policy do. Return a candidate or its id; nothing leaves it to them. It is
 * asked again, with fewer candidates, when the backend fails and another may be tried.
 * A throw answers 500, or the `status` of what was thrown when that is 400–599; so does what is no candidate: 500.
 * @param candidates never empty, the best first: who may be given this request now, those of weight 0, backups and
 *   suspects among them. Not those that have failed it. The list is frozen.
 */
export type SelectHook = (
  request: IncomingRequest,
  candidates: readonly Candidate[],
  context: SelectContext,
) => Candidate | string | void | Promise<Candidate | string | void>

/** Hooks that belong to no route. */
export interface RequestHooks {
  /** Before every HTTP request. */
  readonly onRequest?: Hook
  /** Before every WebSocket upgrade. */
  readonly onUpgrade?: Hook
}

export interface Hooks extends RequestHooks {
  /** For every request and upgrade, on every route that does not say otherwise. @default none */
  readonly select?: SelectHook
  /**
   * For every message of a WebSocket, on every route that does not say otherwise. Danger: such a route reads and writes
   * each message instead of passing bytes on, and negotiates no compression.
   * @default none
   */
  readonly onMessage?: MessageHook | MessageHookOptions
}

/** Hooks of one route. */
export interface RouteHooks {
  /** In place of the `select` of all routes; `false`: none here. */
  readonly select?: SelectHook | false
  /** In place of the `onMessage` of all routes; `false`: none here. */
  readonly onMessage?: MessageHook | MessageHookOptions | false
}
