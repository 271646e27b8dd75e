/**
 * Whether a Close frame may carry this code: one that is registered and not for local use only, or one of the
 * application's (RFC 6455 §7.4, the IANA registry).
 */
export function isCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  )
}

/** Whether we send it: not the codes that say "all is well" or blame ourselves. */
export function isOurCloseCode(code: unknown): code is number {
  return Number.isInteger(code) && isCloseCode(code as number) && ![1000, 1010, 1011].includes(code as number)
}

/** A control frame holds 125 bytes, two of which are the code (RFC 6455 §5.5.1). */
export function isCloseReason(reason: unknown): reason is string {
  return typeof reason === 'string' && Buffer.byteLength(reason) <= 123
}
