import { type IncomingRequest } from '../core/request.ts'
import { type Controls } from './controls.ts'

/** Who sends a message. */
export type MessageSender = 'client' | 'backend'

/** A whole message, fragments joined. */
export interface Message {
  readonly from: MessageSender
  /** A text message as string, a binary one as Buffer. */
  readonly data: string | Buffer
}

/** One object for all messages of a tunnel. */
export interface MessageContext {
  /** Id of the tunnel. */
  readonly tunnel: number
  /** The upgrade request; its `context` is what earlier hooks have left there. */
  readonly request: IncomingRequest
  /** Id of the backend. */
  readonly backend: string
  readonly pool: string
  /** Aborts when the tunnel ends. */
  readonly signal: AbortSignal
  /** Drains and restores backends, rebalances pools, closes tunnels. */
  readonly balancer: Controls
}

/**
 * What becomes of a message:
 * - nothing (`undefined`): it passes as it is;
 * - `false`: it is dropped;
 * - a string or bytes: it is replaced, by a text or by a binary message;
 * - `{ reply }`: it is dropped, and its sender gets this message;
 * - `{ close, reason }`: everything before it passes, then both sides get a Close frame with this code; 1000, 1010 and
 *   1011 are not sent. The reason is plain text, at most 123 bytes.
 */
export type MessageVerdict =
  | undefined
  | void
  | false
  | string
  | Uint8Array
  | { readonly reply: string | Uint8Array }
  | { readonly close: number; readonly reason?: string }

/**
 * Sees every message of a WebSocket. Messages of one side go on in the order they came in, however long the hook takes
 * for each. A throw, or a hook that does not settle within `timeouts.hook`, closes the tunnel with 1013.
 */
export type MessageHook = (
  message: Message,
  context: MessageContext,
) => MessageVerdict | Promise<MessageVerdict>

export interface MessageHookOptions {
  hook: MessageHook
  /** Bytes that a message may have; a longer one closes its sender with 1009. @default 1_048_576 */
  maxSize?: number
  /**
   * Messages of one side of one tunnel that may be with the hook, or wait behind one that is. Then no more
   * is read from that side. Danger: this many times {@link maxSize} is what one side of a tunnel can take in memory.
   * @default 16
   */
  concurrency?: number
  /** Whose messages the hook sees; the others pass as they come. @default 'both' */
  from?: MessageSender | 'both'
}

/** {@link MessageHookOptions} with every default filled in. */
export type MessageRule = Readonly<Required<MessageHookOptions>>
