import { type Clock } from './clock.ts'

/** Settles after so many milliseconds. @throws the reason of the signal, at once */
export async function sleep(delay: number, clock: Clock, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      timer.cancel()
      reject(signal.reason)
    }
    const timer = clock.schedule(delay, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}
