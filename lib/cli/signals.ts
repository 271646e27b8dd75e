export interface SignalActions {
  readonly reload: () => void
  /** The first SIGTERM or SIGINT. */
  readonly stop: () => void
  /** The next one. */
  readonly cut: () => void
}

/** Ctrl-C under `npx` arrives twice: from the terminal, and passed on by npm a moment later. */
const ECHO = 200

/**
 * For the rest of the life of the process: a signal in its last moments must not turn exit code 0 into a death by
 * signal. Handlers do not keep a process alive.
 */
export function onSignals({ reload, stop, cut }: SignalActions): void {
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
  process.on('SIGHUP', reload)
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
}
