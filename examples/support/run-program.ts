/** What a program of several processes needs so that it leaves nothing behind. */
export interface Program {
  /** Settles when the program is to stop: Ctrl-C, SIGTERM, or its terminal is gone. */
  readonly stopped: Promise<void>
  /** Called at the end, also after a failed start; what was given last comes first. */
  readonly teardown: (end: () => unknown) => void
  /** Ends it from inside, e.g. when a key is pressed. */
  readonly stop: () => void
}

/** Milliseconds after which an ending is not waited for any more. */
const PATIENCE = 4_000

/**
 * Runs an example until `main` settles or somebody stops it, then ends what it has started. What fails is told in one
 * line, with exit code 1.
 * @param main settles with the exit code. @default 0
 */
export async function runProgram(main: (program: Program) => Promise<number | void>): Promise<never> {
  const endings: (() => unknown)[] = []
  let stop!: () => void
  const stopped = new Promise<void>((resolve) => (stop = () => resolve()))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  // A terminal, or a reader of a pipe, that is gone: there is nobody left to show anything to.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', stop)
  const failed = new Promise<never>((_resolve, reject) => process.on('uncaughtException', reject))

  let code = 0
  try {
    const teardown = (end: () => unknown) => void endings.push(end)
    code = (await Promise.race([main({ stopped, teardown, stop }), stopped, failed])) ?? 0
  } catch (error) {
    console.error(reason(error))
    code = 1
  }
  for (const end of endings.reverse()) {
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE))
    await Promise.race([patience, Promise.resolve().then(end)]).catch((error) => console.error(reason(error)))
  }
  process.exit(code)
}

function reason(error: unknown): string {
  const { message, code, path } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' || path !== 'redis-server') return message
  return [
    'This example starts a Redis of its own, and there is no redis-server on the PATH.',
    'Install it, 6.2 or newer: apt install redis-server, brew install redis, apk add redis.',
  ].join('\n')
}
