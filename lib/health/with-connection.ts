import { type Duplex } from 'node:stream'
import { type ProbeContext } from './probe.ts'

/**
 * Does something on a fresh connection, which is gone when that is done, has failed, or the probe is aborted.
 * @throws what `use` throws; the reason of the signal once that is aborted
 */
export async function withConnection(
  { dial, signal }: ProbeContext,
  use: (socket: Duplex) => Promise<void>,
): Promise<void> {
  const socket = (await dial()).on('error', ignore)
  const onAbort = () => socket.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    await use(socket)
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

/** Whoever uses the connection hears of it too. */
function ignore(): void {}
