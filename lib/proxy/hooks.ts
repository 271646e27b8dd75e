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

export interface Hooks {
  /** Before every HTTP request. */
  readonly onRequest?: Hook
  /** Before every WebSocket upgrade. */
  readonly onUpgrade?: Hook
  /**
   * For every message of a WebSocket, on every route that does not say otherwise. Danger: such a route reads and writes
   * each message instead of passing bytes on, and negotiates no compression.
   * @default none
   */
  readonly onMessage?: MessageHook | MessageHookOptions
}

/** Hooks of one route. */
export interface RouteHooks {
  /** In place of the `onMessage` of all routes; `false`: none here. */
  readonly onMessage?: MessageHook | MessageHookOptions | false
}
