/** Milliseconds that a step of a proof may take on a busy machine; on a quiet one it takes a second or two. */
export const PATIENCE = 60_000
/** And a whole one. */
export const LONG_PATIENCE = 240_000
