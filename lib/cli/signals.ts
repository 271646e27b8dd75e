export interface SignalActions {
  readonly reload: () => void
  /** The first SIGTERM or SIGINT. */
  readonly stop: () => void
  /** The next one. */
  readonly cut: () => void
}

/** Ctrl-C under `npx` arrives twice: from the terminal, and passed on by npm a moment later. */
const ECHO = 200

/** @returns takes the handlers off again */
export function onSignals({ reload, stop, cut }: SignalActions): () => void {
  let stoppedAt: number | undefined
  const onStop = (signal: NodeJS.Signals) => {
    const now = performance.now()
    if (stoppedAt === undefined) {
      stoppedAt = now
      stop()
    } else if (signal !== 'SIGINT' || now - stoppedAt > ECHO) {
      cut()
    }
  }
  const handlers = { SIGHUP: reload, SIGTERM: onStop, SIGINT: onStop }
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler)
  }
}
