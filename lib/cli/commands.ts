import { type Flags } from './flags.ts'

/** One verb of the command line. Reports its own errors, or throws them. @returns the exit code */
export interface Command {
  readonly name: string
  readonly describe: string
  readonly run: (flags: Flags) => Promise<number>
}

/** Loaded when called: `wslb --help` needs neither esbuild nor undici. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'init',
    describe: 'Write a commented lb.config.ts',
    run: async (flags) => (await import('./init.ts')).init(flags),
  },
  {
    name: 'start',
    describe: 'Serve, and reload when the config changes',
    run: async (flags) => (await import('./start.ts')).start(flags),
  },
  {
    name: 'check',
    describe: 'Load and validate the config, open nothing',
    run: async (flags) => (await import('./check.ts')).check(flags),
  },
]
