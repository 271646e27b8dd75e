import { configPath, shownPath } from './config-path.ts'
import { EXIT_OK } from './exit-code.ts'
import { type Flags } from './flags.ts'
import { complain, say } from './report.ts'
import { Server } from './server.ts'
import { onSignals } from './signals.ts'

/** `wslb start`: serves until a signal says stop. */
export async function start(flags: Flags): Promise<number> {
  let file: string | undefined
  let server: Server | undefined
  try {
    const path = configPath(flags)
    file = shownPath(path)
    const running = (server = new Server(path, flags))
    const stopped = new Promise<void>((resolve) => {
      // Taken from the very beginning: an early SIGHUP would otherwise end the process.
      onSignals({
        reload: () => running.reload(),
        stop: () => resolve(running.stop()),
        cut: () => void running.cut(),
      })
    })
    const ready = running.open().then((urls) => {
      for (const url of urls) say(flags.json, `wslb ready ${url}`, { event: 'ready', url })
    })
    // A config may take its time, or for ever; a signal ends that too.
    await Promise.race([ready.then(() => stopped), stopped])
    return EXIT_OK
  } catch (error) {
    return complain(flags.json, error, file)
  } finally {
    await server?.cut()
  }
}
