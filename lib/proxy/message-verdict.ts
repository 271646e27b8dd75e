import { inspect } from 'node:util'
import { WslbError } from '../core/errors.ts'
import { isCloseReason, isOurCloseCode } from '../protocol/close-code.ts'
import { OPCODE } from '../protocol/frame-tracker.ts'
import { dataFrame } from '../protocol/frame-writer.ts'
import { type CloseReason } from './tunnel-options.ts'

export type MessageContent = string | Uint8Array

/** What a verdict other than "pass" and "drop" asks for. */
export type Order =
  { readonly replace: MessageContent } | { readonly reply: MessageContent } | { readonly close: CloseReason }

/** @returns an error for what is no verdict */
export function orderOf(verdict: unknown): Order | WslbError {
  if (isContent(verdict)) return { replace: verdict }
  const { reply, close, reason = '' } = (verdict ?? {}) as Record<string, unknown>
  if (isContent(reply)) return { reply }
  if (isOurCloseCode(close) && isCloseReason(reason)) return { close: { code: close, reason } }
  const what = close === undefined ? 'what is no verdict' : 'a close code or reason that cannot be sent'
  return new WslbError(
    'WSLB_HOOK_FAILED',
    `hooks.onMessage returned ${what}: ${inspect(verdict, { depth: 1 })}`,
  )
}

/** @param masked whether it goes to a server (RFC 6455 §5.3) */
export function messageFrame(content: MessageContent, masked: boolean): Buffer {
  return typeof content === 'string'
    ? dataFrame(OPCODE.text, Buffer.from(content), masked)
    : dataFrame(OPCODE.binary, content, masked)
}

function isContent(value: unknown): value is MessageContent {
  return typeof value === 'string' || value instanceof Uint8Array
}
