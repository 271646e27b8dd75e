import { type Clock } from './clock.ts'

/**
 * Settles after so many milliseconds.
 * @param keepAlive whether the process waits for it. @default false
 * @throws the reason of the signal, at once
 */
export async function sleep(
  delay: number,
  clock: Clock,
  signal: AbortSignal,
  keepAlive = false,
): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      timer.cancel()
      reject(signal.reason)
    }
    const done = () => {
      signal.removeEventListener('abort', abort)
      resolve()
    }
    const timer = clock.schedule(delay, done, keepAlive)
    signal.addEventListener('abort', abort, { once: true })
  })
}
