import { inspect } from 'node:util'
import { WslbError, messageOf } from '../core/errors.ts'
import { isCloseReason, isOurCloseCode } from '../protocol/close-code.ts'
import { OPCODE } from '../protocol/frame-tracker.ts'
import { dataFrame } from '../protocol/frame-writer.ts'
import { type Message, type MessageContext, type MessageHook } from './message-hook.ts'
import { type MessageStop, closedByError, closedByHook } from './message-stop.ts'

/** What is to be done with a message, in plain data: nothing of the user's is in it that could still throw. */
export type Order =
  | 'pass'
  | 'drop'
  /** Frames, ready to be written. */
  | { readonly replace: Buffer }
  | { readonly reply: Buffer }
  | { readonly stop: MessageStop }

/**
 * Has a hook look at a message. Whatever it does, throws or returns, this neither throws nor rejects: all of the
 * user's code that a verdict can hold (getters, thenables, proxies) runs in here.
 */
export function verdictOf(
  hook: MessageHook,
  message: Message,
  context: MessageContext,
): Order | Promise<Order> {
  const toServer = message.from === 'client'
  try {
    const verdict: unknown = hook(message, context)
    return isPromise(verdict) ? whenSettled(verdict, toServer) : orderOf(verdict, toServer)
  } catch (thrown) {
    return hookThrew(thrown)
  }
}

async function whenSettled(verdict: PromiseLike<unknown>, toServer: boolean): Promise<Order> {
  try {
    return orderOf(await verdict, toServer)
  } catch (thrown) {
    return hookThrew(thrown)
  }
}

/** @param toServer whether the message goes to a server; then it is masked (RFC 6455 §5.3), and a reply is not */
function orderOf(verdict: unknown, toServer: boolean): Order {
  if (verdict === undefined) return 'pass'
  if (verdict === false) return 'drop'
  if (isContent(verdict)) return { replace: messageFrame(verdict, toServer) }
  const { reply, close, reason = '' } = (verdict ?? {}) as Record<string, unknown>
  if (isContent(reply)) return { reply: messageFrame(reply, !toServer) }
  if (isOurCloseCode(close) && isCloseReason(reason)) return { stop: closedByHook({ code: close, reason }) }
  const what = close === undefined ? 'what is no verdict' : 'a close code or reason that cannot be sent'
  return hookFailed(`returned ${what}: ${inspect(verdict, { depth: 1 })}`)
}

function hookThrew(thrown: unknown): Order {
  return hookFailed(`threw: ${messageOf(thrown)}`, { cause: thrown })
}

function hookFailed(what: string, options?: { cause: unknown }): Order {
  return { stop: closedByError(new WslbError('WSLB_HOOK_FAILED', `hooks.onMessage ${what}`, options)) }
}

function messageFrame(content: string | Uint8Array, masked: boolean): Buffer {
  return typeof content === 'string'
    ? dataFrame(OPCODE.text, Buffer.from(content), masked)
    : dataFrame(OPCODE.binary, content, masked)
}

function isContent(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
